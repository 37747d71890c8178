"""The WCS of moving targets against jwst 3.0.0."""

import numpy as np
import pytest
from peer_process import needs_peer, run_peer
from wcs_cases import Case, image

from webbcal.combine.alignment.moving_target import AssignMTWcsStep
from webbcal.exposure.geometry.assign_wcs import AssignWcsStep
from webbcal.simulate import CrdsCache, write_image_references

CASES = [Case("NRCALONG", "SUB160"), Case("NRCALONG", "SUB160", ra=53.17, dec=-27.785)]
X, Y = (v.ravel() for v in np.meshgrid(np.linspace(0, 159, 9), np.linspace(0, 159, 9)))


@pytest.fixture(scope="module")
def exposures(tmp_path_factory):
    """Two exposures of a target that has moved, as models with a WCS."""
    cache = CrdsCache(tmp_path_factory.mktemp("moving") / "crds")
    write_image_references(cache, {"NRCALONG"}, {"F444W": (0.0, 0.0)})
    with pytest.MonkeyPatch.context() as patch:
        for name, value in cache.environment.items():
            patch.setenv(name, value)
        models = [AssignWcsStep.call(image(case)) for case in CASES]
    for number, (case, model) in enumerate(zip(CASES, models, strict=True)):
        model.meta.target.type = "MOVING"
        model.meta.filename = f"comet{number}_cal.fits"
        model.meta.wcsinfo.mt_ra, model.meta.wcsinfo.mt_dec = case.ra + 0.001, case.dec
    return models


@needs_peer
def test_it_is_as_in_jwst(exposures, tmp_path):
    ours = AssignMTWcsStep(output_dir=str(tmp_path), save_results=True).run(exposures)
    cases = [{"x": X, "y": Y, "path": str(tmp_path / m.meta.filename)} for m in exposures]
    for model, case, moved in zip(exposures, cases, ours, strict=True):
        model.save(case["path"])
        case["ours"] = str(tmp_path / moved.meta.filename)
    for model, theirs in zip(ours, run_peer("moving_target_peer.py", cases, tmp_path), strict=True):
        ra, dec = model.meta.wcs(X, Y)
        np.testing.assert_allclose(ra, theirs["ra"], rtol=0, atol=1e-10)
        np.testing.assert_allclose(dec, theirs["dec"], rtol=0, atol=1e-10)
        np.testing.assert_allclose(theirs["from_ours"], [ra, dec], rtol=0, atol=1e-10)
        assert model.meta.wcs.available_frames == theirs["frames"].tolist()
        assert model.meta.wcsinfo.s_region == str(theirs["s_region"])
        info = model.meta.wcsinfo
        np.testing.assert_allclose([info.mt_avra, info.mt_avdec], theirs["average"], rtol=0, atol=1e-12)


def test_the_target_is_where_it_was_on_average(exposures):
    moved = AssignMTWcsStep().run(exposures)
    places = [m.meta.wcs.invert(m.meta.wcsinfo.mt_avra, m.meta.wcsinfo.mt_avdec) for m in moved]
    was = [m.meta.wcs.invert(m.meta.wcsinfo.mt_ra, m.meta.wcsinfo.mt_dec) for m in exposures]
    np.testing.assert_allclose(places, was, rtol=0, atol=1e-5)


def test_without_the_place_of_the_target(exposures, caplog):
    lost = [model.copy() for model in exposures]
    lost[1].meta.wcsinfo.mt_ra = None
    results = AssignMTWcsStep().run(lost)
    assert {m.meta.cal_step.assign_mtwcs for m in results} == {"SKIPPED"}
    assert "comet1_cal.fits does not say where its target was (MT_RA, MT_DEC)" in caplog.text
