"""Image and variances of a slit, turned and with bad pixels NaN in all: what is extracted, piece by piece."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core import dqflags
from webbcal.spectra.layout import Layout

F32 = NDArray[np.float32]

#: Variances that errors are made of, in the order of all arrays of variances here.
COMPONENTS = ("poisson", "rnoise", "flat")
_DO_NOT_USE = np.uint32(dqflags.pixel["DO_NOT_USE"])


class Planes:
    """The integrations of a slit; of an image there is one.

    Parameters
    ----------
    layout : Layout

    Attributes
    ----------
    count : int or None
        Number of integrations; None for an image.
    """

    def __init__(self, layout: Layout) -> None:
        model = layout.model
        self._layout = layout
        shape = tuple(model.shape)
        self.count = shape[0] if len(shape) == 3 else None
        self._sources = {name: model.source(name) for name in ("data", "err", "dq")}
        self._sources |= {name: model.source(f"var_{name}") for name in COMPONENTS}
        for name, source in self._sources.items():
            if source is not None and tuple(source.shape) != shape:
                self._sources[name] = None

    def read(self, integration: int, rows: slice = slice(None)) -> tuple[F32, F32]:
        """Return the image (across, along) and the variances (3, across, along) of an integration.

        Parameters
        ----------
        integration : int
            0 for an image.
        rows : slice
            Which pixels across.
        """
        data = self._piece("data", integration, rows)
        assert data is not None
        bad = np.isnan(data)
        for name in ("err", *COMPONENTS):
            if (values := self._known(name, integration, rows)) is not None:
                bad |= np.isnan(values)
        if (flags := self._piece("dq", integration, rows)) is not None:
            bad |= (flags & _DO_NOT_USE) != 0
        image = np.where(bad, np.float32(np.nan), data).astype(np.float32, copy=False)
        variances = np.zeros((len(COMPONENTS), *image.shape), np.float32)
        for plane, name in zip(variances, COMPONENTS, strict=True):
            if (values := self._known(name, integration, rows)) is not None:
                plane[:] = values
                plane[bad] = np.nan
        return image, variances

    def first_of(self, box: tuple[slice, slice]) -> tuple[F32, F32]:
        """Return a piece (across, along) of the first image, and of its variance of read noise."""
        image, variances = self.read(0)
        return image[box], variances[COMPONENTS.index("rnoise")][box]

    def _known(self, name: str, integration: int, rows: slice) -> NDArray[Any] | None:
        """Return an array's part of an integration; None if it has no value in all of the integration.

        What no step has measured is NaN in rectified spectra: nothing is known of it, and no pixel is bad.
        """
        values = self._piece(name, integration, rows)
        if values is None or not np.isnan(values).all():
            return values
        whole = self._piece(name, integration, slice(None))
        return None if whole is None or np.isnan(whole).all() else values

    def _piece(self, name: str, integration: int, rows: slice) -> NDArray[Any] | None:
        """Return an array's part of an integration, turned; None if there is none."""
        source = self._sources[name]
        if source is None:
            return None
        stripe = (slice(None), rows) if self._layout.is_vertical else (rows, slice(None))
        values = source.read(*stripe) if self.count is None else source.read(integration, *stripe)
        return self._layout.turned(values)
