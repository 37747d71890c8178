"""Persistence: charge that traps of the detector give back after a bright source.

`windows` flags the time after a saturated group; `traps` follows how traps fill and empty, and subtracts what
they give back. Both are plain NumPy on planes of a block: a few operations a sample, less than reading it.
"""
