"""Suffixes that names of files end with (``_rate``, ``_cal``), as the field has them."""

from __future__ import annotations

import re
from functools import cache

_PRODUCTS = """
ami ami-oi aminorm aminorm-oi blot bsub bsubints c1d cal calints cat crf crfints dark i2d mbsub median phot
psfalign psfstack psfsub ramp rate rateints s2d s3d snr uncal wfscmb whtlt x1d x1dints
"""
_STEPS = """
adaptive_trace_model align_refs ami_analyze ami_normalize assign_mtwcs assign_wcs bkg_subtract
clean_flicker_noise combine_1d cube_build dark_current dq_init emicorr engdblog extract_1d extract_2d
firstframe flat_field fringe gain_scale group_scale guider_cds hlsp imprint ipc jump klip lastframe linearity
master_background outlier_detection pathloss persistence photom picture_frame ramp_fit refpix resample
resample_spec reset residual_fringe rscd saturation skymatch source_catalog spec2nrslamp spectral_leak srctype
stackrefs straylight superbias targ_centroid tweakreg wfscombine white_light
"""
_STEP_CLASSES = """
adaptivetracemodel alignrefs amianalyze aminormalize assignmtwcs assignwcs background badpixselfcal barshadow
chargemigration cleanflickernoise combine1d cubebuild darkcurrent dqinit emicorr extract1d extract2d
firstframe flatfield fringe gainscale groupscale guidercds hlsp imprint ipc jump klip lastframe linearity
masterbackgroundmos masterbackground msaflagopen outlierdetection pathloss persistence photom pictureframe
pixelreplace rampfit refpix resamplespec resample reset residualfringe rscd saturation skymatch sourcecatalog
sourcetype spectralleak stackrefs straylight superbias targcentroid tsophotometry tweakreg wavecorr wfscombine
wfsscontam whitelight
"""
_PIPELINE_CLASSES = "ami3 coron3 dark detector1 guider image2 image3 spec2 spec3 tso3"

#: What counts as a suffix at the end of a name (the list of jwst 3.0.0: some steps are not in it).
KNOWN_SUFFIXES = frozenset(
    [*_PRODUCTS.split(), *_STEPS.split()]
    + [f"{name}step" for name in _STEP_CLASSES.split()]
    + [f"{name}pipeline" for name in _PIPELINE_CLASSES.split()]
)


@cache
def _suffixed() -> re.Pattern[str]:
    return re.compile(f"(?P<root>.+?)(?P<separator>[_-])(?:{'|'.join(sorted(KNOWN_SUFFIXES))})")


def remove_suffix(name: str) -> tuple[str, str]:
    """Return a name (without extension) without its known suffix, and the separator that was before it.

    Only one suffix is removed; the separator is "_" if there was none.
    """
    match = _suffixed().fullmatch(name)
    return (match["root"], match["separator"]) if match else (name, "_")


def replace_suffix(name: str, new_suffix: str) -> str:
    """Return a name (without extension) with another suffix in place of its known one, or with one more."""
    return "".join((*remove_suffix(name), new_suffix))
