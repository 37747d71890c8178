"""Functions of numpy by their names, of one or two variables."""

from __future__ import annotations

import numpy as np

from webbcal.wcs.kinds.kind import ASDF, Function, Kind, Transform, Unknown

#: Those that astropy.modeling has models of.
NAMES = frozenset((
    "sin", "cos", "tan", "arcsin", "arccos", "arctan", "arctan2", "hypot", "sinh", "cosh", "tanh",
    "arcsinh", "arccosh", "arctanh", "deg2rad", "rad2deg", "add", "subtract", "multiply", "logaddexp",
    "logaddexp2", "true_divide", "floor_divide", "negative", "positive", "power", "remainder", "fmod",
    "divmod", "absolute", "fabs", "rint", "exp", "exp2", "log", "log2", "log10", "expm1", "log1p",
    "sqrt", "square", "cbrt", "reciprocal", "divide", "mod",
))  # fmt: skip


def _ufunc(t: Transform) -> np.ufunc:
    name = t["func_name"]
    if name not in NAMES:
        raise Unknown(f"the function {name}")
    function: np.ufunc = getattr(np, name)
    return function


def _function(t: Transform) -> Function:
    function = _ufunc(t)
    return function if function.nout > 1 else lambda *inputs: (function(*inputs),)


KINDS = (Kind(ASDF + "math_functions", lambda t: _ufunc(t).nin, lambda t: _ufunc(t).nout, _function),)
