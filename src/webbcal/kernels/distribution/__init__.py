"""How the values of many pixels are distributed: moments within limits, and histograms."""
