"""The mathematics of detectors and images, by mathematics and not by step.

A package a kind of mathematics. Its `reference.py` is the readable definition in NumPy, its `cpu.py` has the
numba kernels with the same names and signatures; contract tests hold them together. Settings, results and
what goes without a compiler lie beside them and are imported as usual.

There is one way to a kernel: ask `get` for the package, at the top of the module that uses it, and call its
functions::

    from webbcal import kernels

    saturation = kernels.get("saturation")
    ...
    saturation.flag_saturation(data, groupdq, …)

That is light: the backend, and numba with it, is loaded when the first of its functions is called for. What
has been asked for is also what other processes compile when nothing is compiled yet (see `compiling`).
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

#: Where kernels can run: compiled, or as they are defined.
BACKENDS = ("cpu", "reference")

#: Packages of kernels, those that take longest to compile first; of stage 1, these are also needed last.
NAMES = (
    "charge",
    "clipping",
    "coadd",
    "convolution",
    "dispersion",
    "distribution",
    "drizzle",
    "ellipses",
    "extraction",
    "flicker",
    "frames",
    "interference",
    "irs2",
    "jump",
    "likelihood",
    "outliers",
    "peaks",
    "polynomial",
    "ramp_fit",
    "reference_pixels",
    "regions",
    "replacement",
    "rings",
    "saturation",
    "segments",
    "smoothing",
    "stack",
    "wavelengths",
)

#: What this process has asked for.
_asked: set[str] = set()


class Kernels:
    """The kernels of a package on one backend; loaded when the first of them is called for."""

    def __init__(self, name: str, backend: str) -> None:
        self._module = f"{__name__}.{name}.{backend}"

    def __getattr__(self, kernel: str) -> Any:
        if kernel.startswith("__"):  # whoever looks at this object does not want a kernel
            raise AttributeError(kernel)
        found = getattr(import_module(self._module), kernel)
        setattr(self, kernel, found)
        return found

    def __repr__(self) -> str:
        return f"<kernels of {self._module}>"


def get(name: str, backend: str = "cpu") -> Kernels:
    """Return the kernels of a package.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    backend : str
        One of `BACKENDS`.

    Raises
    ------
    ValueError
        If one of them is not known.
    """
    if name not in NAMES:
        raise ValueError(f"unknown kernels {name!r}; known: {', '.join(NAMES)}")
    if backend not in BACKENDS:
        raise ValueError(f"unknown backend {backend!r}; known: {', '.join(BACKENDS)}")
    if backend == "cpu":
        _asked.add(name)
    return Kernels(name, backend)


def expected() -> list[str]:
    """Return the packages whose kernels this process is going to need: asked for, or loaded already."""
    return [name for name in NAMES if name in _asked or f"{__name__}.{name}" in sys.modules]
