"""Drizzling with the square kernel: each pixel, shrunk, is dropped on the output grid (Fruchter & Hook 2002).

Only the default kernel is here, because it is what takes the time: several planes of one image (science and
error components) share the geometry, which is computed once, and many threads can work at a time. The
`drizzle` library does the other kernels, one plane a call, and is what this one is tested against.
"""
