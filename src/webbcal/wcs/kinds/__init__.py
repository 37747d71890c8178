"""Kinds of transform as they stand in ASDF files: one record a kind, one file a family."""
