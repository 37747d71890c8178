"""``badpix_selfcal``: bad and warm pixels, found in the exposures themselves.

What is lowest over several exposures of the sky has little of it left; pixels far from their neighbours along
the dispersion are then the detector's. After the documentation of the step in jwst 3.0.0.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.associations import as_level2
from webbcal.associations.sources import is_association_name
from webbcal.core.box import Box
from webbcal.core.dqflags import pixel
from webbcal.core.errors import InputError, ParameterError
from webbcal.core.wording import a_or_an
from webbcal.datamodels.image_arrays import arrays_of
from webbcal.exposure.images import by_bands
from webbcal.run.model_step import ModelStep
from webbcal.run.parameters import StepParameters, param
from webbcal.run.planning import StepPlan
from webbcal.run.run import Run

log = logging.getLogger(__name__)
stack = kernels.get("stack")

_BAD = np.uint32(pixel["DO_NOT_USE"] | pixel["OTHER_BAD_PIXEL"])
#: Between the channels of the MRS there is no light: detector -> rows and columns.
_BETWEEN_CHANNELS = {
    "MIRIFULONG": (slice(50, 974), slice(474, 507)),
    "MIRIFUSHORT": (slice(50, 974), slice(503, 516)),
}
_F32 = NDArray[np.float32]


class BadpixSelfcalStep(ModelStep):
    """Flag pixels that stand out in the minimum of an exposure and its companions; they become NaN."""

    class_alias = "badpix_selfcal"
    takes = "any"

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `BadpixSelfcalStep`."""

        skip: bool = param(True, "Skip this step")
        flagfrac_lower: float = param(0.001, "Share of pixels to flag at the low end", ge=0.0, le=0.5)
        flagfrac_upper: float = param(0.001, "Share of pixels to flag at the high end", ge=0.0, le=0.5)
        kernel_size: int = param(15, "Length of the median filter along the dispersion", ge=1, unit="pixel")
        force_single: bool = param(False, "Go on with the exposure alone if it has no companions")
        save_flagged_bkg: bool = param(False, "Save the backgrounds with the flags (_badpix_selfcal_bkg_…)")

    def work(self, run: Run, *args: Any) -> Any:
        """Run on an exposure and its companions.

        Parameters
        ----------
        run : Run
        *args
            A path, model or level-2 association, and optionally two lists of paths or models: exposures to
            compare with, and backgrounds, which are compared with and flagged, too.

        Returns
        -------
        DataModel, or (DataModel, list of DataModel)
            The exposure; if the step runs alone, with the backgrounds.
        """
        result = super().work(run, *self._sorted(*args))
        (plan,) = run.done[-1:]
        return (result, plan.more[1]) if plan.applied and not run.is_part else result

    def decide(self, model: Any, *more: Any) -> StepPlan:
        """Decide whether the step applies, with these companions."""
        plan = super().decide(model)
        companions, backgrounds = (*more, (), ())[:2]
        plan.more = (list(companions or ()), list(backgrounds or ()))
        if plan.applied and not any(plan.more) and not self.force_single:
            plan.skip("no exposures to compare with (members selfcal or background); see force_single")
        return plan

    def reason_to_skip(self, model: Any, p: Parameters) -> str | None:
        """Skip what is no image of the detector.

        Raises
        ------
        ParameterError
            If the filter has no middle.
        """
        if p.kernel_size % 2 == 0:
            raise ParameterError(f"badpix_selfcal.kernel_size = {p.kernel_size}: must be odd")
        kind = type(model).__name__
        return None if kind in ("ImageModel", "IFUImageModel") else f"works on images, not on {a_or_an(kind)}"

    def perform(self, run: Run, model: Any, plan: StepPlan) -> Any:
        """Find the pixels, and flag them in the exposure and its backgrounds."""
        p, threads = self.parameters, run.resources.threads
        companions = [self.open_model(self.located(one)) for one in plan.more[0]]
        backgrounds = [self.open_model(self.located(one)).copy() for one in plan.more[1]]
        lowest = _lowest([model, *companions, *backgrounds])
        axis = getattr(model.meta.wcsinfo, "dispersion_direction", None)
        bad = _outstanding(lowest, _kernel(p.kernel_size, axis), p, threads)
        for one in (model, *backgrounds):
            _flag(one, bad, threads)
        plan.more = (companions, backgrounds)
        plan.results = {"pixels_flagged": int(bad.sum())}
        if p.save_flagged_bkg:
            for number, background in enumerate(backgrounds):
                self.save_model(background, f"badpix_selfcal_bkg_{number}", force=True)
        return model

    def _sorted(self, init: Any, *more: Any) -> tuple[Any, ...]:
        """Return the exposure, what to compare it with, and its backgrounds."""
        init = self.located(init)
        companions, backgrounds = (list(given or ()) for given in (*more, (), ())[:2])
        named = isinstance(init, (str, os.PathLike)) and is_association_name(init)
        if named or isinstance(init, Mapping):
            association = as_level2(init)
            product = association.products[0]

            def members(role: str) -> list[Any]:
                return [m.model or association.resolve(m) for m in product.members_of(role)]

            init = members("science")[0]
            companions, backgrounds = companions + members("selfcal"), backgrounds + members("background")
        return init, companions, backgrounds


def _lowest(models: Sequence[Any]) -> _F32:
    """Return the least of each pixel, NaN where there is none.

    Raises
    ------
    InputError
        If they differ in shape.
    """
    lowest: _F32 | None = None
    for model in models:
        data: _F32 = np.asarray(model.data, np.float32)
        dark = _BETWEEN_CHANNELS.get(str(model.meta.instrument.detector).upper())
        if dark is not None:
            data = data - np.nanmedian(data[dark])
        if lowest is not None and data.shape != lowest.shape:
            raise InputError(
                f"{model.meta.filename}: has shape {data.shape}, but {models[0].meta.filename} "
                f"{lowest.shape}; give exposures of one subarray"
            )
        lowest = data.copy() if lowest is None else np.fmin(lowest, data)
    assert lowest is not None
    return lowest


def _kernel(size: int, dispersion_axis: int | None) -> tuple[int, int]:
    """Return rows and columns of the filter: along the dispersion, or a square if that is not known."""
    return {1: (1, size), 2: (size, 1)}.get(dispersion_axis or 0, (size, size))


def _outstanding(image: _F32, kernel: tuple[int, int], p: Any, threads: int) -> NDArray[np.bool_]:
    """Return the pixels beyond the percentiles of what is left after the median of their neighbours."""
    (ny, nx), (high, wide) = image.shape, kernel
    padded = np.pad(image, [(high // 2,), (wide // 2,)])
    rest = np.empty_like(image)

    def filter_rows(box: Box) -> None:
        for y in range(box.y0, box.y1):
            windows = sliding_window_view(padded[y : y + high], kernel)[0]
            neighbours = np.ascontiguousarray(windows.reshape(nx, high * wide).T)[:, None]
            rest[y] = image[y] - stack.nanmedian(neighbours)[0]

    by_bands((ny, nx), filter_rows, threads)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
        low, top = np.nanpercentile(rest, [100 * p.flagfrac_lower, 100 * (1 - p.flagfrac_upper)])
    outstanding: NDArray[np.bool_] = (rest > top) | (rest < low)
    return outstanding


def _flag(model: Any, bad: NDArray[np.bool_], threads: int) -> None:
    """Flag pixels, and let them be NaN in all arrays."""
    arrays = arrays_of(model, threads)
    arrays.dq[bad] |= _BAD
    for values in (arrays.data, arrays.err, arrays.var_poisson, arrays.var_rnoise, arrays.var_flat):
        if values is not None:
            values[bad] = np.nan
