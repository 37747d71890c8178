"""Transforms of jwst's own tags, in each form that references have had, as trees."""

from dataclasses import dataclass

import numpy as np
from astropy.modeling import models as m

from webbcal.io.asdf_text import Tagged, tagged
from webbcal.wcs import trees
from webbcal.wcs.kinds.kind import JWST


def plane(c, x, y):
    """Return a polynomial of the place of a source."""
    return tagged(m.Polynomial2D(1, c0_0=c, c1_0=x, c0_1=y))


line = trees.polynomial
#: dx or dy along the dispersion, of t alone or of the place too, and across.
ALONG_T = line([-983.4, 1300.7])
ALONG = [plane(-983.4, 2e-3, -1e-3), plane(1300.7, 1e-3, 3e-3), plane(-4.0, 1e-4, 2e-4)]
FALLING = [plane(150.0, 2e-3, -1e-3), plane(-220.0, 1e-3, 3e-3), plane(-9.0, 1e-4, 2e-4)]
ACROSS = [plane(-2.1, 1e-3, -5e-4), plane(3.0, -1e-3, 2e-4), plane(-0.4, 1e-4, 1e-4)]
WAVE_T, T_WAVE = line([3.85, 1.3]), line([-3.85 / 1.3, 1 / 1.3])
T_OFFSET = line([0.7561, 7.7e-4, 1e-9])
WAVE = [plane(3.85, 2e-7, -1e-6), plane(1.30, 3e-6, 1e-6), plane(0.004, -1e-6, 1e-6)]


@dataclass(frozen=True)
class Case:
    """A transform; the orders, sources and offsets (or wavelengths) that it is tried with."""

    name: str
    node: Tagged
    along: tuple = (-1000.0, 330.0)
    wavelength: tuple = (3.86, 5.14)

    @property
    def backward(self):
        return "Backward" in self.node.value.get("model_type", "")

    @property
    def kind(self):
        return self.node.tag.rpartition("-")[0]

    def values(self, n=80):
        """Return n points."""
        rng = np.random.default_rng(3)
        x0, y0 = rng.uniform(0, 2048, (2, n))
        order = np.resize(np.array(orders_of(self.node), float), n)
        if "soss" in self.kind:
            return rng.uniform(0, 40, n), rng.uniform(0, 30, n), order
        if self.backward:
            return x0, y0, rng.uniform(*self.wavelength, n), order
        along, across = rng.uniform(*self.along, n), rng.uniform(-4, 4, n)
        dx, dy = (along, across) if "Row" in self.node.value["model_type"] else (across, along)
        return x0 + dx, y0 + dy, x0, y0, order


def orders_of(node):
    return node.value.get("orders") or node.value["spectral_orders"]


def grism(kind, model_type, x, y, wavelength, orders=(1, 2), **more):
    """Return a transform; traces of the second order are twice as long."""
    backward = "Backward" in model_type
    names = ("x", "y", "wavelength", "order"), ("x", "y", "x0", "y0", "order")
    value = {
        "model_type": model_type, "inputs": list(names[not backward]), "outputs": list(names[backward]),
        "orders": list(orders), "xmodels": list(x), "ymodels": list(y), "lmodels": list(wavelength), **more,
    }  # fmt: skip
    return Tagged(f"{JWST}{kind}", value)


def nircam(model_type, x, y, wavelength, **more):
    two = [[one] * 2 for one in (x, y, wavelength)]
    return grism("nircam_grism_dispersion-1.2.0", model_type, *two, **{k: [v] * 2 for k, v in more.items()})


ROW, COLUMN, BACK = (f"NIRCAM{name}GrismDispersion" for name in ("ForwardRow", "ForwardColumn", "Backward"))
_NIRCAM = [
    Case("NIRCam row, of t", nircam(ROW, ALONG_T, ACROSS, WAVE)),
    Case("NIRCam row, a list of t", nircam(ROW, [ALONG_T], ACROSS, WAVE)),
    Case("NIRCam row, of the place", nircam(ROW, ALONG, ACROSS, WAVE)),
    Case("NIRCam row, falling", nircam(ROW, FALLING, ACROSS, WAVE), (-80, 160)),
    Case("NIRCam row, wavelengths of t", nircam(ROW, [ALONG_T], ACROSS, [WAVE_T])),
    Case("NIRCam row, inverse", nircam(ROW, ALONG_T, ALONG_T, WAVE_T, inv_xmodels=T_OFFSET)),
    Case("NIRCam column, of t", nircam(COLUMN, ACROSS, [ALONG_T], WAVE)),
    Case("NIRCam column, of the place", nircam(COLUMN, ACROSS, ALONG, WAVE)),
    Case("NIRCam column, inverse", nircam(COLUMN, ALONG_T, ALONG_T, WAVE_T, inv_ymodels=T_OFFSET)),
    Case("NIRCam back, of the place", nircam(BACK, [ALONG_T], ACROSS, WAVE)),
    Case("NIRCam back, beyond the ends", nircam(BACK, ALONG, ACROSS, WAVE), wavelength=(3.5, 5.6)),
    Case("NIRCam back, orders of two forms", grism("nircam_grism_dispersion-1.2.0", BACK, [[ALONG_T]] * 2,
                                                   [ACROSS] * 2, [WAVE, [WAVE_T]])),
    Case("NIRCam row, orders of two forms", grism("nircam_grism_dispersion-1.2.0", ROW, [[ALONG_T], ALONG],
                                                  [ACROSS] * 2, [WAVE, [WAVE_T]])),
    Case("NIRCam back, of t", nircam(BACK, [ALONG_T], ACROSS, WAVE_T), wavelength=(3.5, 5.6)),
    Case("NIRCam back, a list of t", nircam(BACK, [ALONG_T], ACROSS, [WAVE_T])),
    Case("NIRCam back, inverse", nircam(BACK, ALONG_T, ALONG_T, WAVE_T, inv_lmodels=T_WAVE)),
]  # fmt: skip


def niriss(model_type, x, y, wavelength, theta):
    traces = [[one] * 3 for one in (x, y, wavelength)]
    return grism("niriss_grism_dispersion-1.2.0", model_type, *traces, orders=(1, 2, 0), theta=theta)


_NIRISS = [
    Case(f"NIRISS {name}, {theta}", niriss(f"NIRISS{name}GrismDispersion", x, y, wave, theta), (-1100, 420))
    for name, x, y, wave in (
        ("ForwardRow", ALONG, ACROSS, WAVE_T),
        ("ForwardColumn", ACROSS, ALONG, WAVE_T),
        ("Backward", ALONG, ACROSS, T_WAVE),
    )
    for theta in (0.0, 0.31)
]
_CUBIC = [*ALONG, plane(7.0, 1e-5, 0.0)]
_MIRI = [
    Case(f"MIRI {name}", grism("miri_wfss_dispersion-1.0.0", f"MIRIWFSS{name}Dispersion", [ACROSS], [_CUBIC],
                               [wave], orders=(1,)))
    for name, wave in (("Forward", line([3.85, 1.0, 0.2, 0.1])), ("Backward", T_WAVE))
]  # fmt: skip


def _soss(kind):
    wave = np.linspace(0.9, 2.8, 12).reshape(3, 4)
    tables = [
        trees.chain(
            trees.remap([0, 1, 1, 0], 2),
            trees.beside(trees.constant(10.0), trees.constant(-3.0), tagged(_table(wave / order))),
        )
        for order in (1, 2, 3)
    ]
    value = {"inputs": ["x", "y", "spectral_order"], "outputs": ["ra", "dec", "lam"]}
    return Tagged(f"{JWST}{kind}", value | {"spectral_orders": [1, 2, 3], "models": tables})


def _table(values):
    return m.Tabular2D(([0.0, 10.0, 31.0], [0.0, 10.0, 20.0, 41.0]), values, bounds_error=False)


CASES = [
    *_NIRCAM, *_NIRISS, *_MIRI,
    Case("SOSS", _soss("niriss_soss-1.2.0")), Case("SOSS of old", _soss("niriss-soss-0.7.0")),
]  # fmt: skip
