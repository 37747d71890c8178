"""datamodels (see docs/design.md)."""
