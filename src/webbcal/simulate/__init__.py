"""A forward simulator of JWST's near-infrared imagers, and of the CRDS cache that calibrates what it makes.

    from webbcal import simulate

    config = simulate.ExposureConfig(detector="NRCALONG", subarray="SUB160", ngroups=6, seed=3)
    made = simulate.expose(config)           # made.model, made.truth
    world = simulate.universe("sim", config)  # files, and world.environment for CRDS
    world = simulate.rate_universe("sim", config)  # rates instead of ramps: quick, and MIRI too
    world = simulate.universe("sim", simulate.field("nircam"))  # four dithers of one field

What is modelled, and what is not, is said at the top of each module. Nothing here shares code with the
calibration: the simulator is its judge.
"""

from webbcal.simulate.config import ExposureConfig, dithered
from webbcal.simulate.crds_cache import CrdsCache
from webbcal.simulate.electronics import Electronics
from webbcal.simulate.field import field, star_catalog
from webbcal.simulate.rates import RateOptions, RateUniverse, SimulatedRates, expose_rates, rate_universe
from webbcal.simulate.references import ReferenceOptions, write_references
from webbcal.simulate.references_catalog import write_catalog_references
from webbcal.simulate.references_image import write_image_references
from webbcal.simulate.scene import Sky
from webbcal.simulate.truth import Truth
from webbcal.simulate.universe import Simulated, Universe, expose, universe

__all__ = [
    "CrdsCache",
    "Electronics",
    "ExposureConfig",
    "RateOptions",
    "RateUniverse",
    "ReferenceOptions",
    "Simulated",
    "SimulatedRates",
    "Sky",
    "Truth",
    "Universe",
    "dithered",
    "expose",
    "expose_rates",
    "field",
    "rate_universe",
    "star_catalog",
    "universe",
    "write_catalog_references",
    "write_image_references",
    "write_references",
]
