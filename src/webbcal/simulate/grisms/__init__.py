"""Slitless spectra: the wide fields of NIRCam, NIRISS and MIRI, and NIRCam's grism time series.

    from webbcal import simulate

    config = simulate.ExposureConfig(filter="F444W", grism=simulate.Grism("GRISMR"))
    world = simulate.rate_universe("sim", [config, replace(config, grism=None, exposure=2)])

Each source of the sky is dispersed by optics of our own (`optics`), whose numbers are those of the
community's grism configurations; the reference files are written from them (`references`).
"""

from webbcal.simulate.grisms.field import ListedSky, Source, grism_field
from webbcal.simulate.grisms.grism import Grism

__all__ = ["Grism", "ListedSky", "Source", "grism_field"]
