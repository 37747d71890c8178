"""Pixels that disagree with what other exposures of the same sky say they should be."""
