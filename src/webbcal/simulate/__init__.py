"""simulate (see docs/design.md)."""
