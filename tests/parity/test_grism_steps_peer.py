"""Steps of grism exposures against jwst 3.0.0: the same slits, boxes, wavelengths and headers, bit for bit.

Fields of sources are behind small references of all grisms (`wfss_fields`). One process of the peer runs all
jobs; both packages take the same words.
"""

import numpy as np
import pytest
from astropy.io import fits
from detector1_runs import finish_peer, start_peer
from dispersed_cases import SOSS, TSGRISM, WFSS
from peer_process import needs_peer
from products import compare
from slips import without_later_rows
from wfss_fields import Field, patched, write_fields

from webbcal.exposure.contamination.simulation import Simulated
from webbcal.run.registry import step_class

pytestmark = [needs_peer, pytest.mark.xdist_group("grism steps")]

NIRCAM, NIRCAM_B, NIRISS_R, NIRISS_C, MIRI, SERIES, SLITLESS = FIELDS = (
    Field(WFSS[0], sources=10),
    Field(WFSS[3], sources=8),
    Field(WFSS[4], sources=8, seed=5, extended=0.5, on_detector=True),
    Field(WFSS[5], sources=10, roll=1.0),
    Field(WFSS[6], sources=12),
    Field(TSGRISM[0]),
    Field(SOSS[0]),
)
CLEANED = {"save_simulated_image": True, "save_contam_images": True, "skip": False}

#: Name -> class, field, parameters; then what becomes of the spectra of a field.
JOBS = {
    **{f.root: ("Extract2dStep", f, {}) for f in FIELDS[:-1]},
    "few": ("Extract2dStep", NIRISS_R, {"wfss_nbright": 4, "wfss_mmag_extract": 24.0,
                                        "extract_orders": [1, 0]}),
    "ids": ("Extract2dStep", NIRISS_C, {"source_ids": ["3", "5"], "wfss_extract_half_height": 9}),
    "height": ("Extract2dStep", SERIES, {"tsgrism_extract_height": 40}),
    "background": ("BackgroundStep", NIRCAM, {}),
    "background_b": ("BackgroundStep", NIRCAM_B, {"wfss_mmag_extract": 23.0, "wfss_maxiter": 3}),
    "background_n": ("BackgroundStep", NIRISS_C, {"wfss_outlier_percent": 3.0, "wfss_rms_stop": 0.02}),
    "background_m": ("BackgroundStep", MIRI, {}),
    "background_s": ("BackgroundStep", SLITLESS, {}),
    "background_t": ("BackgroundStep", SLITLESS, {"soss_source_percentile": 60.0,
                                              "soss_bkg_percentile": [10.0, 80.0]}),
}  # fmt: skip
LATER = {
    "types": ("SourceTypeStep", NIRISS_R, {}),
    "type": ("SourceTypeStep", SERIES, {}),
    "contamination": ("WfssContamStep", NIRISS_R, CLEANED),
    "bright": ("WfssContamStep", NIRISS_R, {**CLEANED, "magnitude_limit": 24.5, "orders": [0, 1]}),
    "fitted": ("WfssContamStep", NIRISS_R, {**CLEANED, "polyfit_degree": 2, "n_iterations": 2,
                                            "rejection_threshold": 1e9}),
}  # fmt: skip
SIMULATED = ("contamination", "bright", "fitted")
#: Parts of the error (0.1 DN/s) that corrected spectra may differ by; jwst fits in single precision.
LIMITS = {"fitted": 0.02}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Run all jobs in both packages; return job -> (our folder, their folder)."""
    return run_jobs(tmp_path_factory.mktemp("grisms"), FIELDS)


def run_jobs(folder, fields):
    """Write fields, and run all jobs on them."""
    environment = write_fields(folder, fields)
    peer_jobs, folders = [], {}
    for name, (cls, field, parameters) in (JOBS | LATER).items():
        ours, theirs = folders[name] = folder / "ours" / name, folder / "theirs" / name
        for place in (ours, theirs):
            place.mkdir(parents=True)
        job = {"class": cls, "input": str(_input(folder / "theirs", name, field)), "output_dir": str(theirs)}
        peer_jobs.append(job | {"parameters": {"save_results": True, **parameters}})
    with pytest.MonkeyPatch.context() as patch, patched(environment):
        patch.chdir(folder)  # where jwst looks for catalogues
        patch.setattr(Simulated, "on", without_later_rows(Simulated.on))
        process = start_peer(peer_jobs, environment)
        for name, (cls, field, parameters) in (JOBS | LATER).items():
            init = _input(folder / "ours", name, field)
            step_class(cls).call(init, output_dir=str(folders[name][0]), save_results=True, **parameters)
    answers = finish_peer(process)
    failed = {n: a["error"] for n, a in zip(folders, answers, strict=True) if "error" in a}
    assert not failed, failed
    return folders


def _input(results, name, field):
    exposure = results.parent / field.exposure
    return exposure if name in JOBS else results / field.root / field.spectra


@pytest.mark.parametrize("job", [*JOBS, "types", "type"])
def test_products_are_the_same(results, job):
    ours, theirs = results[job]
    names = sorted(p.name for p in ours.iterdir())
    assert names == sorted(p.name for p in theirs.iterdir()) and names
    for name in names:
        found = compare(ours / name, theirs / name)
        assert not found.problems, (name, found.problems[:10])
        assert all(excess < 0.02 for excess, _ in found.worst.values()), found.worst  # 2e-7 of the value


@pytest.mark.parametrize("job", SIMULATED)
def test_simulations_and_contamination_are_the_same(results, job):
    """jwst puts pixels half a pixel aside and back; here the direct image has the detector's pixels."""
    ours, theirs = results[job]
    names = sorted(p.name for p in ours.iterdir())
    assert len(names) == 4 and names == sorted(p.name for p in theirs.iterdir())
    for name in names:
        with fits.open(ours / name) as a, fits.open(theirs / name) as b:
            assert {(h.name, h.ver) for h in a} - {("ASDF", 1)} == {(h.name, h.ver) for h in b} - {
                ("ASDF", 1)
            }
            for number in range(1, 1 + sum(h.name == "SCI" for h in b)):
                _agree(a["SCI", number], b["SCI", number], LIMITS.get(job, 0.01) * 0.1, f"{name} {number}")
                if ("DQ", number) in b:
                    np.testing.assert_array_equal(a["DQ", number].data, b["DQ", number].data)


def _agree(ours, theirs, limit, label):
    """Check an image to a part of its error, NaN included, and what its header says of the spectrum."""
    np.testing.assert_allclose(ours.data, theirs.data, rtol=1e-5, atol=limit, err_msg=label)
    for keyword in set(theirs.header) - {"", "COMMENT", "HISTORY"}:
        found, expected = ours.header.get(keyword), theirs.header[keyword]
        same = found == expected or (isinstance(expected, float) and np.isclose(found, expected, rtol=1e-9))
        assert same, (label, keyword, found, expected)
