"""detector (see docs/design.md)."""
