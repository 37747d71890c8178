"""Exposures for the reference-pixel comparison, made from a seed alike in both environments."""

import hashlib

import numpy as np

DO_NOT_USE, REFERENCE_PIXEL = np.uint32(1), np.uint32(1 << 31)


def make(case):
    """Return data, pixeldq and zeroframe (or None): drifts of amplifiers, columns and rows, and outliers."""
    rng = np.random.default_rng(case["seed"])
    nints, ngroups, ny, nx = case["shape"]
    data = rng.normal(0, 8, case["shape"]).astype(np.float32)
    data += rng.normal(0, 20, (nints, ngroups, 1, nx)).astype(np.float32)
    data += np.cumsum(rng.normal(0, 1, (nints, ngroups, ny, 1)), axis=2).astype(np.float32)
    data[rng.random(data.shape) < 0.003] += np.float32(300)
    if case.get("ties"):
        data = np.rint(data)
    full = np.zeros((2048, 2048), np.uint32)
    full[:4] = full[-4:] = REFERENCE_PIXEL
    full[:, :4] = full[:, -4:] = REFERENCE_PIXEL
    y, x = case["ystart"] - 1, case["xstart"] - 1
    pixeldq = full[y : y + ny, x : x + nx].copy()
    pixeldq[rng.random((ny, nx)) < case.get("bad", 0.04)] |= DO_NOT_USE
    for y0, y1, x0, x1 in case.get("dead", ()):
        pixeldq[y0:y1, x0:x1] |= DO_NOT_USE
    if case.get("nan"):
        data[0, -1, 1, :3] = np.nan
    zeroframe = None
    if case.get("zeroframe"):
        zeroframe = data[:, 0] + np.float32(1.5)
        zeroframe[rng.random(zeroframe.shape) < 0.02] = 0
    return data, pixeldq, zeroframe


def sirs_coefficients(seed):
    """Fourier coefficients of kernels for four channels."""
    rng = np.random.default_rng(seed)
    shape = (4, 513)
    decay = np.exp(-np.arange(513) / 60) / 2
    return decay + 0.02 * decay * rng.normal(size=shape), decay + 0.02j * decay * rng.normal(size=shape)


def digest(array):
    """Every 9th row for diagnosis, and a hash of all bits (NaN made equal)."""
    array = np.where(np.isnan(array), np.float32(np.nan), array).astype(np.float32)
    text = hashlib.sha256(np.ascontiguousarray(array).tobytes()).digest()
    return {"rows": array[..., ::9, :], "hash": np.frombuffer(text, np.uint8)}
