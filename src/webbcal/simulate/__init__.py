"""A forward simulator of JWST's imagers, and of the CRDS cache that calibrates what it makes.

    from webbcal import simulate

    config = simulate.ExposureConfig(detector="NRCALONG", subarray="SUB160", ngroups=6, seed=3)
    made = simulate.expose(config)           # made.model, made.truth
    world = simulate.universe("sim", config)  # files, and world.environment for CRDS
    world = simulate.rate_universe("sim", config)  # rates instead of ramps: quick
    world = simulate.universe("sim", simulate.field("nircam"))  # four dithers of one field
    config = simulate.ExposureConfig(grism=simulate.Grism("GRISMR"))  # the field without a slit

What is modelled, and what is not, is said at the top of each module. Nothing here shares code with the
calibration: the simulator is its judge.
"""

from webbcal.simulate.config import ExposureConfig, Segment, dithered, segmented
from webbcal.simulate.crds_cache import CrdsCache
from webbcal.simulate.electronics import Electronics
from webbcal.simulate.field import field, star_catalog
from webbcal.simulate.grisms import Grism, ListedSky, Source, grism_field
from webbcal.simulate.lrs import Lrs, Transit
from webbcal.simulate.lrs_exposures import beside, nod_pair, planet
from webbcal.simulate.rates import RateOptions, RateUniverse, SimulatedRates, expose_rates, rate_universe
from webbcal.simulate.references import ReferenceOptions, write_references
from webbcal.simulate.references_catalog import write_catalog_references
from webbcal.simulate.references_image import write_image_references
from webbcal.simulate.scene import Sky
from webbcal.simulate.soss import Soss
from webbcal.simulate.spectrum import Line, Spectrum
from webbcal.simulate.stripes import StripeReadout, read_stripes
from webbcal.simulate.traps import Traps, write_trap_references
from webbcal.simulate.truth import Truth
from webbcal.simulate.universe import Simulated, Universe, expose, universe

__all__ = [
    "CrdsCache",
    "Electronics",
    "ExposureConfig",
    "Grism",
    "Line",
    "ListedSky",
    "Lrs",
    "RateOptions",
    "RateUniverse",
    "ReferenceOptions",
    "Segment",
    "Simulated",
    "SimulatedRates",
    "Sky",
    "Soss",
    "Source",
    "Spectrum",
    "StripeReadout",
    "Transit",
    "Traps",
    "Truth",
    "Universe",
    "beside",
    "dithered",
    "expose",
    "expose_rates",
    "field",
    "grism_field",
    "nod_pair",
    "planet",
    "rate_universe",
    "read_stripes",
    "segmented",
    "star_catalog",
    "universe",
    "write_catalog_references",
    "write_image_references",
    "write_references",
    "write_trap_references",
]
