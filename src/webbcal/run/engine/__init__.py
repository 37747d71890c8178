"""The engine of stage 1: an exposure flows through steps block by block.

`blocks` is what flows, `sources` and `sinks` are the ends, `store` holds ramps on the way (in memory or
scratch space), `tiling` decides how an exposure is cut, `operation` binds a step to an exposure, `rows` is
the work on some rows, `passes` goes over the exposure, `block_plan` and `stream` are the plan and the run.
"""
