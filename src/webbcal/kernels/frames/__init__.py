"""Frames and groups: decoding what the file holds, averaging frames, adding and subtracting images.

- `reference` and `cpu`: `decode_uint16` and `average_frames`, where one compiled pass replaces several.
- `arithmetic`: what NumPy does at the speed of memory already (scaling, superbias, dark, DQ).
- `dark`: which frames of a dark reference make the groups of an exposure.

No halo anywhere: every pixel stands alone.
"""

from __future__ import annotations

#: Rows needed beyond the band.
HALO = 0
