"""Exposures of MIRI's low-resolution spectrometer as they are planned: nods, what is beside, a transit."""

from __future__ import annotations

from dataclasses import replace

from webbcal.core.errors import ParameterError
from webbcal.simulate.config import ExposureConfig
from webbcal.simulate.lrs import NOD, Lrs, Transit, star_with_lines
from webbcal.simulate.spectrum import Spectrum

#: Degrees of right ascension from the target to a dedicated background.
_BESIDE = 0.02


def nod_pair(config: ExposureConfig) -> list[ExposureConfig]:
    """Return two exposures with the target at either side of the slit's middle.

    Raises
    ------
    ParameterError
        If the configuration is not of the slit.
    """
    lrs = config.lrs
    if lrs is None or config.subarray != "FULL":
        raise ParameterError("only spectra of the slit are nodded")
    return [
        replace(
            config,
            exposure=config.exposure + k,
            seed=config.seed + k,
            start_mjd=config.start_mjd + 0.01 * k,
            lrs=replace(lrs, offset=(side * NOD, 0.0), position=k + 1, positions=2),
        )
        for k, side in enumerate((-1.0, 1.0))
    ]


def beside(config: ExposureConfig) -> ExposureConfig:
    """Return an exposure of the sky beside the target, of an observation of its own."""
    if config.lrs is None:
        raise ParameterError("not an exposure of spectra")
    return replace(
        config,
        observation=config.observation + 1,
        seed=config.seed + 100,
        ra=config.ra + _BESIDE,
        start_mjd=config.start_mjd + 0.1,
        lrs=replace(config.lrs, source=None),
    )


def planet() -> Lrs:
    """Return a bright star with a transiting planet, to be seen without a slit.

    The sky is dark, since light of all its wavelengths falls on each pixel.
    """
    return Lrs(star_with_lines(0.08), Spectrum(4.0, 10.0, 2.0), transit=Transit())
