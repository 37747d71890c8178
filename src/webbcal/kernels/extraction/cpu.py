"""Extraction, compiled: see `webbcal.kernels.extraction.reference` for the definition.

Loops run along rows (wavelength), so that they vectorise, with a row of sums for whatever is added up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.kernels.arrays import readable
from webbcal.kernels.compiling import helper, kernel
from webbcal.kernels.extraction.reference import Sums

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


def box_sums(image: F32, variances: F32, aperture: F64, position: F64, coefficients: F64) -> Sums:
    """Add up the pixels of an aperture; as `reference.box_sums`."""
    variances = readable(variances, np.float32, 3)
    columns = image.shape[1]
    sums = Sums(np.zeros(columns), np.zeros(columns), np.zeros((len(variances), columns)), np.zeros(columns))
    _box_sums(
        readable(image, np.float32, 2),
        variances,
        readable(aperture, np.float64, 2),
        readable(position, np.float64, 1),
        readable(coefficients, np.float64, 2),
        *sums,
    )
    return sums


@kernel
def _box_sums(image, variances, aperture, position, coefficients, flux, background, noise, npixels):  # type: ignore[no-untyped-def]
    rows, columns = image.shape
    level, weight = np.zeros(columns), np.zeros(columns)
    for y in range(rows):
        _polynomial(position[y], coefficients, level)
        values, inside = image[y], aperture[y]
        for x in range(columns):
            value = values[x] - level[x]
            good = np.isfinite(value)
            w = inside[x] if good else 0.0
            weight[x] = w
            flux[x] += (value if good else 0.0) * w
            background[x] += level[x] * w
            npixels[x] += w
        for k in range(variances.shape[0]):
            variance, total = variances[k, y], noise[k]
            for x in range(columns):
                added = variance[x] * (weight[x] * weight[x])
                total[x] += added if added == added else 0.0
    for x in range(columns):
        b = background[x]
        background[x] = b if np.isfinite(b) else 0.0


@helper
def _polynomial(position, coefficients, out):  # type: ignore[no-untyped-def]
    for x in range(out.size):
        out[x] = 0.0
    for k in range(coefficients.shape[0] - 1, -1, -1):
        c = coefficients[k]
        for x in range(out.size):
            out[x] = out[x] * position + c[x]


def normal_equations(values: F32, use: F32, position: F64, terms: int, profiles: F64) -> tuple[F64, F64]:
    """Return the normal equations of a fit to each column; as `reference.normal_equations`."""
    size, columns = terms + len(profiles), values.shape[1]
    matrix, vector = np.zeros((size, size, columns)), np.zeros((size, columns))
    _normal_equations(
        readable(values, np.float32, 2),
        readable(use, np.float32, 2),
        readable(position, np.float64, 1),
        terms,
        readable(profiles, np.float64, 3),
        matrix,
        vector,
    )
    return np.moveaxis(matrix, -1, 0), vector.T


@kernel
def _normal_equations(values, use, position, terms, profiles, matrix, vector):  # type: ignore[no-untyped-def]
    rows, columns = values.shape
    size = vector.shape[0]
    design = np.empty((size, columns))
    for y in range(rows):
        _design_row(use[y], position[y], terms, profiles, y, design)
        for i in range(size):
            left, total = design[i], vector[i]
            for x in range(columns):
                total[x] += left[x] * values[y, x]
            for j in range(i + 1):
                right, product, mirror = design[j], matrix[i, j], matrix[j, i]
                for x in range(columns):
                    product[x] += left[x] * right[x]
                    mirror[x] = product[x]


@helper
def _design_row(use, position, terms, profiles, y, design):  # type: ignore[no-untyped-def]
    """The terms of the fit for the pixels of a row; zero where pixels are not used."""
    power = 1.0
    for i in range(terms):
        for x in range(use.size):
            design[i, x] = power * use[x]
        power *= position
    for i in range(profiles.shape[0]):
        for x in range(use.size):
            design[terms + i, x] = profiles[i, y, x] * use[x]


def propagate(variances: F32, use: F32, position: F64, terms: int, profiles: F64, combination: F64) -> F64:
    """Return the variances of a combination of what was fitted; as `reference.propagate`."""
    variances = readable(variances, np.float32, 3)
    noise = np.zeros((len(variances), use.shape[1]))
    _propagate(
        variances,
        readable(use, np.float32, 2),
        readable(position, np.float64, 1),
        terms,
        readable(profiles, np.float64, 3),
        readable(combination.T, np.float64, 2),
        noise,
    )
    return noise


@kernel
def _propagate(variances, use, position, terms, profiles, combination, noise):  # type: ignore[no-untyped-def]
    rows, columns = use.shape
    design, weight = np.empty((combination.shape[0], columns)), np.empty(columns)
    for y in range(rows):
        _design_row(use[y], position[y], terms, profiles, y, design)
        for x in range(columns):
            weight[x] = 0.0
        for i in range(combination.shape[0]):
            for x in range(columns):
                weight[x] += combination[i, x] * design[i, x]
        for k in range(variances.shape[0]):
            variance, total = variances[k, y], noise[k]
            for x in range(columns):
                added = variance[x] * (weight[x] * weight[x])
                total[x] += added if added == added else 0.0


def column_medians(values: F32, use: F32) -> F64:
    """Return the median of each column's pixels that are used; as `reference.column_medians`."""
    medians = np.empty(values.shape[1])
    _column_medians(readable(values, np.float32, 2), readable(use, np.float32, 2), medians)
    return medians


@kernel
def _column_medians(values, use, medians):  # type: ignore[no-untyped-def]
    rows, columns = values.shape
    kept = np.empty(rows, np.float32)
    for x in range(columns):
        n = 0
        for y in range(rows):
            value = values[y, x]
            if use[y, x] != 0 and value == value:
                kept[n] = value
                n += 1
        if n == 0:
            medians[x] = np.nan
            continue
        ordered = np.sort(kept[:n])
        middle = n // 2
        # Of two in the middle the mean, in the precision of the values.
        medians[x] = ordered[middle] if n % 2 else (ordered[middle - 1] + ordered[middle]) / np.float32(2)


def warm_up() -> None:
    """Compile what is not compiled yet."""
    image, aperture = np.ones((2, 3), np.float32), np.ones((2, 3))
    position, profiles = np.array([-1.0, 1.0]), np.ones((1, 2, 3))
    box_sums(image, image[None], aperture, position, np.ones((1, 3)))
    matrix, _ = normal_equations(image, image, position, 1, profiles)
    propagate(image[None], image, position, 1, profiles, matrix[:, 0])
    column_medians(image, image)
