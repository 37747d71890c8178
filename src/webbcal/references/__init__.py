"""references (see docs/design.md)."""
