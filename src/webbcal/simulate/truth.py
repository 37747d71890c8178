"""What really happened in a simulated exposure, to compare a calibration with."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from webbcal.core.errors import InputError
from webbcal.simulate.large_events import EVENT_DTYPE


@dataclass(frozen=True)
class Truth:
    """The noiseless answer and the record of events.

    Attributes
    ----------
    rate : ndarray
        Light collected by each pixel, e-/s, shape (ny, nx); without dark current and zero in reference
        pixels.
    rate_dn : ndarray
        The same in DN/s: what a calibrated rate image estimates.
    dark : ndarray
        Dark current, e-/s.
    first_saturated : ndarray
        Shape (nints, ny, nx), int16: the first group that contains a frame at the full well; `ngroups` if
        none does. All later groups of the integration are saturated too.
    hits : ndarray
        One row for each pixel and frame that received charge from particles: `integration`, `group` (the
        first that sees it), `frame` (the first of the group's averaged frames that sees it, from 0), `y`,
        `x`, `electrons`, `snowball`.
    sources : ndarray
        The sources with light on the detector, with pixel positions and rates.
    events : ndarray
        One row for each snowball and shower: `integration`, `group` and `frame` as for hits; `y` and `x` of
        its centre; `radius` (of a snowball's core; of a shower the larger sigma), `electrons` in all,
        `shower`.
    curve : ndarray, optional
        Of a transit: how far the planet is on the star in each integration, 0 to 1.
    lost : ndarray, optional
        What it takes from the rate in mid-transit, DN/s.
    spectrum : ndarray, optional
        Of a dispersed source, for each `row` of the detector: `wavelength` (micrometres), `flux` of the
        source (Jy), the same as blurred by the optics (`seen`), and `sky` (MJy/sr). Of slitless fields, for
        each pixel along the trace of each source: see `grisms.seen.SEEN_DTYPE`.
    lines : ndarray, optional
        Wavelengths of its lines.
    """

    rate: np.ndarray
    rate_dn: np.ndarray
    dark: np.ndarray
    first_saturated: np.ndarray
    hits: np.ndarray
    sources: np.ndarray
    events: np.ndarray = field(default_factory=lambda: np.zeros(0, EVENT_DTYPE))
    curve: np.ndarray | None = None
    lost: np.ndarray | None = None
    spectrum: np.ndarray | None = None
    lines: np.ndarray | None = None

    def hit_map(self, ngroups: int) -> np.ndarray:
        """Return the electrons deposited, float32 (nints, ngroups, ny, nx), at the group first affected."""
        nints, ny, nx = self.first_saturated.shape
        out = np.zeros((nints, ngroups, ny, nx), np.float32)
        h = self.hits
        np.add.at(out, (h["integration"], h["group"], h["y"], h["x"]), h["electrons"])
        return out

    def saturated(self, ngroups: int) -> np.ndarray:
        """Return which samples contain a frame at the full well, bool, shape (nints, ngroups, ny, nx)."""
        groups = np.arange(ngroups)[None, :, None, None]
        return groups >= self.first_saturated[:, None]

    def save(self, path: Path) -> None:
        """Write the truth as a FITS file of images and tables."""
        from astropy.io import fits

        images = {
            "RATE": self.rate,
            "RATE_DN": self.rate_dn,
            "DARK": self.dark,
            "FIRSTSAT": self.first_saturated,
        }
        optional = (("CURVE", self.curve), ("LOST", self.lost), ("LINES", self.lines))
        images |= {n: a for n, a in optional if a is not None}
        tables = {"HITS": self.hits, "SOURCES": self.sources, "EVENTS": self.events}
        if self.spectrum is not None:
            tables["SPECTRUM"] = self.spectrum
        hdus = [fits.PrimaryHDU(), *(fits.ImageHDU(a, name=n) for n, a in images.items())]
        hdus += [fits.BinTableHDU(t, name=n) for n, t in tables.items()]
        fits.HDUList(hdus).writeto(path, overwrite=True)

    @classmethod
    def load(cls, path: Path) -> Truth:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            If the file is not a truth file.
        """
        from astropy.io import fits

        with fits.open(path, memmap=False) as hdus:
            try:
                arrays = [_native(hdus[n].data) for n in ("RATE", "RATE_DN", "DARK", "FIRSTSAT")]
                arrays += [_table(hdus[n].data) for n in ("HITS", "SOURCES", "EVENTS")]
                more = {n.lower(): _native(hdus[n].data) for n in ("CURVE", "LOST", "LINES") if n in hdus}
                if "SPECTRUM" in hdus:
                    more["spectrum"] = _table(hdus["SPECTRUM"].data)
            except KeyError as error:
                raise InputError(f"{path} is not a truth file of the simulator: {error}") from error
        return cls(*arrays, **more)


def _native(a: np.ndarray) -> np.ndarray:
    return np.asarray(a, a.dtype.newbyteorder("="))


def _table(rows: Any) -> np.ndarray:
    """Return a FITS table as a plain structured array (column by column: logical values need translating)."""
    columns = {name: _native(np.asarray(rows[name])) for name in rows.names}
    table = np.empty(len(rows), [(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        table[name] = column
    return table
