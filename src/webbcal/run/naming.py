"""Names of output files, as the field has them.

A product is named after the input with a known suffix replaced: ``jw…_uncal.fits`` becomes ``jw…_rate.fits``.
A step that is saved inside a pipeline has its name there as suffix (``_linearity``), a step that runs alone
its class name (``_linearitystep``); a step with several results numbers them (``_0_rampfitstep``). These
functions take and give names; `webbcal.run.step` decides what goes in.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import PurePath
from typing import Literal

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


def output_name(
    basepath: str | os.PathLike[str],
    suffix: str | Literal[False] | None,
    ext: str | None = None,
    **components: object,
) -> str:
    """Return the file name of a product.

    Parameters
    ----------
    basepath : path
        Name that it is made from; folders in it are ignored, and so is its extension if `ext` is given.
    suffix : str, False or None
        Suffix that replaces a known one. False or None: no suffix, and the name keeps the one that it has.
    ext : str, optional
        Extension, with or without the point.
    **components
        What goes before the suffix, in this order: ``idx=0``, ``asn_id="a3001"``; None is left out.

    Examples
    --------
    >>> output_name("jw01_nrca1_uncal.fits", "rate", ".fits")
    'jw01_nrca1_rate.fits'
    >>> output_name("jw01_nrca1_jumpstep.fits", "rampfitstep", ".fits", idx=0)
    'jw01_nrca1_0_rampfitstep.fits'
    """
    path = PurePath(basepath)
    base = os.path.splitext(path.name)[0]  # noqa: PTH122 - the stem of ".x" and "x." differs with pathlib
    extension = (ext or path.suffix).removeprefix(".")
    parts = "".join(f"_{value}" for value in components.values() if value is not None)
    if not suffix:
        return f"{base}{parts}.{extension}"
    base, separator = remove_suffix(base)
    return f"{base}{parts}{separator}{suffix}.{extension}"


def name_to_start_from(
    *,
    output_file: str | None,
    model_filename: str | None,
    input_filename: str | None,
    step_name: str,
    output_ext: str,
    use_model: bool = False,
    search_output_file: bool = True,
    inherited_output_file: str | None = None,
) -> tuple[str, bool]:
    """Return the name that a product's name is made from, and whether an index may be added to it.

    In order: the model's own file name, if `use_model` (or if there is no `output_file` and those of the
    enclosing pipeline shall not be used); `output_file`, given or inherited from the pipeline; the name of
    the input; ``step_<name>``. A name of the model's own takes no index.
    """
    if model_filename and (use_model or (not output_file and not search_output_file)):
        return model_filename, False
    inherited = inherited_output_file if search_output_file else None
    return output_file or inherited or input_filename or f"step_{step_name}{output_ext}", True


def output_folder(output_dir: str | os.PathLike[str] | None) -> str:
    """Return the folder for products, with ``~`` and environment variables expanded ("" is here)."""
    return os.path.expandvars(os.path.expanduser(os.fspath(output_dir or "")))  # noqa: PTH111
