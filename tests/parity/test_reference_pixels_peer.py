"""Reference-pixel correction against the peer: corrected samples must agree bit for bit."""

import sys
from pathlib import Path

import numpy as np
import pytest
from peer_process import assert_same, needs_peer, run_peer

from webbcal.core.box import Box
from webbcal.kernels.reference_pixels import cpu, reference
from webbcal.kernels.reference_pixels.geometry import Border, Geometry, border_boxes
from webbcal.kernels.reference_pixels.measure import Options, apply, apply_zeroframe, measure
from webbcal.kernels.reference_pixels.sirs import SirsKernels

sys.path.insert(0, str(Path(__file__).parent / "peer_scripts"))
from refpix_scene import digest, make, sirs_coefficients

pytestmark = needs_peer

NIRCAM_A = {"instrument": "NIRCAM", "detector": "NRCA1", "fastaxis": -1, "slowaxis": 2}
NIRCAM_B = {"instrument": "NIRCAM", "detector": "NRCB1", "fastaxis": 1, "slowaxis": -2}
NIRISS = {"instrument": "NIRISS", "detector": "NIS", "fastaxis": -2, "slowaxis": -1}
GUIDER1 = {"instrument": "FGS", "detector": "GUIDER1", "fastaxis": -2, "slowaxis": -1}
GUIDER2 = {"instrument": "FGS", "detector": "GUIDER2", "fastaxis": 2, "slowaxis": -1}


def full(base, nints=1, ngroups=2, **more):
    options = more.pop("options", {})
    place = {"xstart": 1, "ystart": 1, "noutputs": 4, "shape": (nints, ngroups, 2048, 2048)}
    return base | place | {"options": options} | more


def sub(base, x, y, nx, ny, noutputs=1, nints=1, ngroups=3, **more):
    options = more.pop("options", {})
    place = {"xstart": x, "ystart": y, "noutputs": noutputs, "shape": (nints, ngroups, ny, nx)}
    return base | place | {"options": options} | more


FULL_FRAMES = {
    "NIRCam": full(NIRCAM_A, zeroframe=True),
    "NIRCam, other module, bad amplifiers and side rows": full(
        NIRCAM_B,
        dead=[(0, 4, 512, 1024), (2044, 2048, 512, 1024), (2044, 2048, 1024, 1536), (900, 950, 0, 2048)],
    ),
    "NIRISS, several integrations": full(NIRISS, nints=2, ngroups=1),
    "FGS 1, all columns together": full(GUIDER1, options={"odd_even_columns": False, "siglimit": 2.0}),
    "FGS 2, no sides": full(GUIDER2, zeroframe=True, options={"use_side_ref_pixels": False}),
    "even smoothing length, gain, ties": full(
        NIRCAM_A, ties=True, options={"side_smoothing_length": 12, "side_gain": 0.7}
    ),
    "SIRS": full(NIRCAM_A, sirs=True),
}

SUBARRAYS = {
    "SUB64P": sub(NIRCAM_B, 1, 1, 64, 64, zeroframe=True, nints=2),
    "SUB64P, upper right": sub(NIRCAM_A, 1985, 1985, 64, 64),
    "SUB160, no reference pixels": sub(NIRCAM_A, 900, 900, 160, 160),
    "SUB160, four amplifiers, no reference pixels": sub(NIRCAM_A, 900, 900, 160, 160, noutputs=4),
    "SUBGRISM64, four amplifiers": sub(NIRCAM_A, 1, 1, 2048, 64, noutputs=4, nints=2, zeroframe=True),
    "SUBGRISM64, one amplifier": sub(NIRCAM_A, 1, 1, 2048, 64, zeroframe=True),
    "SUBGRISM64 on the other module, top of the detector": sub(NIRCAM_B, 1, 1, 2048, 64, noutputs=4),
    "stripe in the middle: sides only": sub(NIRCAM_A, 1, 1000, 2048, 64, noutputs=4),
    "stripe in the middle, one amplifier": sub(NIRCAM_A, 1, 1000, 2048, 32),
    "short stripe: no sides": sub(NIRCAM_A, 300, 1, 1200, 32, noutputs=4),
    "all reference pixels bad": sub(NIRCAM_A, 1, 1, 64, 64, bad=1.0),
    "SUBSTRIP256": sub(NIRISS, 1, 1793, 2048, 256, nints=2),
    "SUBSTRIP256, four amplifiers": sub(NIRISS, 1, 1793, 2048, 256, noutputs=4, ngroups=2),
    "SUBSTRIP256, columns together": sub(NIRISS, 1, 1793, 2048, 256, options={"odd_even_columns": False}),
    "WFSS64C column stripe": sub(NIRISS, 1000, 1, 64, 2048),
    "FGS subarray": sub(GUIDER2, 1, 1, 128, 128, options={"siglimit": 1.5}),
    "NaN in the reference pixels": sub(NIRCAM_A, 1, 1, 64, 64, nan=True),
    "long smoothing on a stripe at the top": sub(
        NIRCAM_A, 1, 1985, 2048, 64, noutputs=4, ties=True, options={"side_smoothing_length": 41}
    ),
}


def strips(array, geometry):
    return Border(*(np.ascontiguousarray(array[(..., *box.slices)]) for box in border_boxes(geometry)))


def ours(case, kernels, rows):
    data, pixeldq, zeroframe = make(case)
    y, x, (ny, nx) = case["ystart"] - 1, case["xstart"] - 1, data.shape[-2:]
    geometry = Geometry(Box(y, y + ny, x, x + nx), case["fastaxis"], case["slowaxis"], case["noutputs"])
    sirs = SirsKernels.from_coefficients(*sirs_coefficients(case["seed"])) if case.get("sirs") else None
    options = Options(sirs=sirs, **case["options"])
    correction = measure(strips(data, geometry), strips(pixeldq, geometry), geometry, options, kernels)
    if zeroframe is not None:
        border = strips(zeroframe[:, None], geometry)
        zero = measure(border, strips(pixeldq, geometry), geometry, options, kernels, continued=True)
    for band in Box(0, ny, 0, nx).bands(rows):
        part = np.ascontiguousarray(data[(..., *band.slices)])
        apply(part, correction, band, kernels)
        data[(..., *band.slices)] = part
        if zeroframe is not None:
            part = np.ascontiguousarray(zeroframe[(..., *band.slices)])
            apply_zeroframe(part, zero, band, kernels)
            zeroframe[(..., *band.slices)] = part
    found = digest(data)
    if zeroframe is not None:
        found |= {f"zero_{k}": v for k, v in digest(zeroframe).items()}
    return found, correction


@pytest.mark.parametrize("group", [FULL_FRAMES, SUBARRAYS], ids=["full frame", "subarrays"])
def test_corrected_samples_agree_bit_for_bit(group, tmp_path):
    cases = [case | {"seed": n} for n, case in enumerate(group.values())]
    theirs = run_peer("reference_pixels_peer.py", cases, tmp_path)
    for name, case, expected in zip(group, cases, theirs, strict=True):
        assert expected.pop("status")[0] == 0
        found, correction = ours(case, cpu, 500)
        with np.errstate(invalid="ignore"):
            untouched = digest(make(case)[0])
        assert (correction.reason is not None) == np.array_equal(untouched["hash"], expected["hash"]), name
        assert_same(found, expected, f"cpu, {name}")
        if group is SUBARRAYS:  # the definition is slow on full frames, and equal by the contract tests
            found, _ = ours(case, reference, 500)
            assert_same(found, expected, f"reference, {name}")
