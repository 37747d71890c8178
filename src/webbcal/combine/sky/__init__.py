"""Sky levels measured and matched."""
