"""Reference pixels: bias drifts measured at the detector's border and subtracted everywhere.

A border of four pixels does not see light. Its bottom and top rows follow the bias of each amplifier,
separately for odd and even columns; its left and right columns follow what changes from row to row.
Measuring needs the border only (`geometry.border_boxes`, `measure.measure`) and yields a few numbers a
group; subtracting them is local (`measure.apply`). So a frame streams past twice, the first time as four
thin strips.

- `geometry`: where the border lies, and how the science frame turns into the detector's frame.
- `measure`: the algorithm.
- `reference`, `cpu`: its three inner loops (clipped mean, running median, subtraction).
- `sirs`: the alternative for side pixels, an optimised convolution kernel.
"""

from __future__ import annotations

#: Rows needed beyond the band, once the correction is measured.
HALO = 0
