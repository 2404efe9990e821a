"""Grading away from the page: piles that leave as a sheet or a packet, and the marks that come back."""
