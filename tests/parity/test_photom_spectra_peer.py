"""photom of spectra against jwst 3.0.0: slits, wide fields, time series, tables of SOSS."""

import re
import shutil

import numpy as np
import pytest
import slit_cases as cases
from astropy.io import fits
from detector1_runs import finish_peer, start_peer
from peer_process import needs_peer
from products import compare

from webbcal.run.registry import step_class

pytestmark = needs_peer

DECLINE = {
    "timecoeff_linear": [{"t0": 59800.0, "lossperyear": 0.02}] * 2,
    "timecoeff_exponential": [{"t0": 59800.0, "amplitude": 0.03, "tau": 200.0, "const": 0.97}] * 2,
}
WFSS = [
    {"filter": "F356W", "pupil": "GRISMR", "order": 1, "photmjsr": 0.5},
    {"filter": "F356W", "pupil": "GRISMC", "order": 1, "photmjsr": 0.4},
]
TIMED = {name: [{key: own[key] for key in ("filter", "pupil", "order")} | row
                for own, row in zip(WFSS, rows, strict=True)] for name, rows in DECLINE.items()}  # fmt: skip
NIRISS = [{"filter": "GR150R", "pupil": "F150W", "order": order, "photmjsr": 0.3 * order} for order in (1, 2)]
SOSS = [{"filter": "CLEAR", "pupil": "GR700XD", "order": order, "photmj": 2e-9 * order} for order in (1, 2)]
LRS = [{"filter": "P750L", "subarray": name, "photmjsr": 0.2 + 0.1 * k}
       for k, name in enumerate(("FULL", "SLITLESSPRISM"))]  # fmt: skip


def wide(kind="NrcWfssPhotomModel", rows=WFSS, low=3.2, high=4.0, **more):
    return cases.photom(kind, rows, low, high, **more)


def lrs(**more):
    return cases.photom("MirLrsPhotomModel", LRS, 5.5, 11.0, **more)


def grism(mode="NRC_WFSS", axis=1, low=3.0, high=4.1, **more):
    return cases.multi_slit(mode, axis, low, high, **more)


#: Name -> input, reference, parameters.
CASES = {
    "slit": (cases.slit_model("MIR_LRS-FIXEDSLIT", (90, 40), 12.0, 5.0, 2), lrs(), {}),
    "slit_inverse": (cases.slit_model("MIR_LRS-FIXEDSLIT", (90, 40), 12.0, 5.0, 2), lrs(), {"inverse": True}),
    "slitless": (cases.slit_model("MIR_LRS-SLITLESS", (3, 90, 40), 12.0, 5.0, 2), lrs(nelem=30), {}),
    "nircam": (grism(orders=(1, 1, 2)), wide(), {}),
    "nircam_columns": (grism("NRC_WFSS_C", 2), wide(), {}),
    "nircam_inverse": (grism(orders=(1, 1)), wide(), {"inverse": True}),
    "nircam_time": (grism(orders=(1, 1)), wide(coefficients=TIMED), {}),
    "nircam_no_time": (grism(orders=(1, 1)), wide(coefficients=TIMED), {"apply_time_correction": False}),
    "nircam_unit": (grism(orders=(1, 1)), wide(unit="MJy Angstrom s / (DN sr)"), {}),
    "niriss": (grism("NIS_WFSS", 2, 1.2, 1.8), wide("NisWfssPhotomModel", NIRISS, 1.3, 1.7), {}),
    "miri": (
        grism("MIR_WFSS", 2, 12.0, 5.0),
        wide("MirWfssPhotomModel", LRS[:1], 5.5, 11.0),
        {},
    ),
    "series": (
        cases.slit_model("NRC_TSGRISM", (3, 64, 90), 3.0, 4.1, 1, **{"wcsinfo.spectral_order": 1,
                         "instrument.filter": "F356W"}), wide(), {},
    ),
    "metres": (grism(orders=(1,)), wide(low=3.2e-6, high=4.0e-6), {}),
    "soss": (cases.soss_tables(), cases.photom("NisSossPhotomModel", SOSS, 0.7, 2.7), {}),
}  # fmt: skip

#: Differences that docs/parity.md names and explains.
KNOWN = (
    r"(SCI|ERR): BUNIT is 'DN/s' instead of '\(none\)'",  # the inverse: jwst leaves the units of slits alone
    r"EXTRACT1D(,2)?\.WAVELENGTH: .* nan instead of -1\.0",  # jwst writes -1 for NaN
)


@pytest.fixture(scope="module")
def products(tmp_path_factory, world):
    """Both packages' products of all cases."""
    folder = tmp_path_factory.mktemp("photom")
    jobs = []
    for name, (model, reference, parameters) in CASES.items():
        (folder / name).mkdir()
        model.save(folder / name / f"{name}_rate.fits")
        reference.save(folder / name / "photom.fits")
        words = {"save_results": True, "override_photom": str(folder / name / "photom.fits"),
                 "override_area": "N/A", **parameters}  # fmt: skip
        jobs.append({
            "class": "PhotomStep", "input": str(folder / name / f"{name}_rate.fits"),
            "output_dir": str(folder / name / "theirs"), "parameters": words,
        })  # fmt: skip
        (folder / name / "theirs").mkdir()
    peer = start_peer(jobs, world.environment)
    with pytest.MonkeyPatch.context() as patch:
        for key, value in world.environment.items():
            patch.setenv(key, value)
        for job in jobs:
            output = str(job["output_dir"]).replace("theirs", "ours")
            step_class("photom").call(job["input"], output_dir=output, **job["parameters"])
    answers = dict(zip(CASES, finish_peer(peer), strict=True))
    yield folder, answers
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", CASES)
def test_same_as_the_peer(products, name):
    folder, answers = products
    assert "error" not in answers[name], answers[name]
    (ours,), (theirs,) = ((folder / name / side).glob("*.fits") for side in ("ours", "theirs"))
    problems = compare(ours, theirs).problems
    assert not [p for p in problems if not any(re.fullmatch(known, p) for known in KNOWN)]


def test_tables_of_soss(products):
    folder, _ = products
    (ours,), (theirs,) = ((folder / "soss" / side).glob("*.fits") for side in ("ours", "theirs"))
    with fits.open(ours) as a, fits.open(theirs) as b:
        for order in (1, 2):
            mine, other = a["EXTRACT1D", order], b["EXTRACT1D", order]
            assert mine.columns["FLUX"].unit == other.columns["FLUX"].unit == "MJy"
            for column in ("FLUX", "FLUX_ERROR", "FLUX_VAR_FLAT", "BACKGROUND"):
                np.testing.assert_allclose(mine.data[column], other.data[column], rtol=1e-6)
            assert np.isnan(mine.data["WAVELENGTH"]).any() and (mine.data["FLUX"] == 0).any()
