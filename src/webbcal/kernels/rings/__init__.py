"""Means over rings around the pixels of an image."""
