"""IPC correction against the peer: bit for bit, whole and in bands."""

import numpy as np
from peer_process import assert_same, needs_peer, run_peer

from webbcal.core.box import Box
from webbcal.kernels import convolution
from webbcal.kernels.convolution import cpu, reference

pytestmark = needs_peer


def random_case(rng, corner, kernel_shape, each_pixel):
    """A subarray at a corner or in the middle of the detector; the 4-d kernel covers rows up to it."""
    ny, nx = (int(v) for v in rng.integers(12, 30, 2))
    y, x = {"lower left": (1, 1), "top": (2049 - ny, 700), "inside": (500, 900), "near": (3, 2)}[corner]
    kernel = rng.normal(0, 0.01, kernel_shape)
    if each_pixel:
        y, x = min(y, 9), min(x, 9)
        kernel = rng.normal(0, 0.01, (*kernel_shape, y + ny - 1, x + nx - 1))
    kernel[kernel_shape[0] // 2, kernel_shape[1] // 2] += 1
    data = rng.normal(1000, 300, (2, 2, ny, nx)).astype(np.float32)
    return {"data": data, "kernel": kernel.astype(np.float32), "xstart": x, "ystart": y}


def ours(case, module, rows):
    whole = Box.of_shape(case["data"].shape)
    y0, x0 = case["ystart"] - 1, case["xstart"] - 1
    exposure = whole.shift(y0, x0)
    out, kernel = case["data"].copy(), case["kernel"]
    for band in whole.bands(rows):
        outer = band.grow(convolution.halo(kernel.shape), whole)
        part = case["data"][..., outer.y0 : outer.y1, :].copy()
        cut = kernel[..., y0 + outer.y0 : y0 + outer.y1, x0 : x0 + whole.x1] if kernel.ndim == 4 else kernel
        module.convolve(part, cut, convolution.science_box(exposure, outer, Box(4, 2044, 4, 2044)))
        out[..., band.y0 : band.y1, :] = part[..., band.y0 - outer.y0 : band.y1 - outer.y0, :]
    return {"data": out}


def test_convolution_agrees_bit_for_bit(tmp_path):
    rng = np.random.default_rng(5)
    cases = [
        random_case(rng, corner, shape, each)
        for corner in ("lower left", "top", "inside", "near")
        for shape in ((3, 3), (5, 5), (3, 5), (2, 2))
        for each in (False, True)
    ]
    theirs = run_peer("convolution_peer.py", cases, tmp_path)
    for n, (case, expected) in enumerate(zip(cases, theirs, strict=True)):
        assert_same(ours(case, reference, 100), expected, f"reference, case {n}")
        assert_same(ours(case, cpu, 100), expected, f"cpu, case {n}")
        assert_same(ours(case, cpu, 6), expected, f"cpu in bands, case {n}")
        assert not np.array_equal(expected["data"], case["data"])
