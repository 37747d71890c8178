"""Associations from a pool of exposures, by rules written as data (``../tables/*.toml``)."""
