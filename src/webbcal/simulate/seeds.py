"""Independent random streams, named by what they are for.

A stream depends on the seed and on its name and numbers only, never on the order in which streams are used or
on the number of threads, so a simulation is reproducible bit for bit.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np


def stream(seed: int, *key: str | int) -> np.random.Generator:
    """Return the generator that belongs to a seed and a key of words and non-negative numbers."""
    numbers = tuple(crc32(k.encode()) if isinstance(k, str) else k for k in key)
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=numbers)))
