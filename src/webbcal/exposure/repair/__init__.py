"""Pixels that are bad: found, and replaced."""
