"""Segments: connected pixels that are labelled as one source."""
