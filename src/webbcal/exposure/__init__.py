"""Steps on single exposures after the ramp fit (stage 2), one file a step."""
