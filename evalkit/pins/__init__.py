"""Pins: which model ids a code base names, what changed, and which of them have evidence."""
