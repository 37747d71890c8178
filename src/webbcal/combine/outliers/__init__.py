"""Samples that disagree with the median of all exposures, flagged."""
