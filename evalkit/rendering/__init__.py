"""Renderers: the report's blocks as HTML, Markdown and JSON."""
