"""pipeline (see docs/design.md)."""
