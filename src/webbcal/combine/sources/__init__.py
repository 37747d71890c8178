"""Sources found, measured and catalogued."""
