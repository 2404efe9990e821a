"""Grading in a terminal: the same order, keys and marks as on the page."""
