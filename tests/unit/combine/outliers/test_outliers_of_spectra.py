"""Outliers in spectra of slits: cosmic rays are found, lines and bright exposures are not."""

import numpy as np
import pytest
from rectified_cases import spectrum

from webbcal.combine.outliers.outlier_detection import OutlierDetectionStep
from webbcal.core.errors import PlanError

PLACES = [((12, 8), 40.0), ((25, 14), 9.0), ((30, 4), 200.0)]
OUTLIER, DO_NOT_USE = 16, 1


def exposures(**more):
    """Return three nods with lines; a cosmic ray in each."""
    models = [spectrum(2 * k, number=k + 1, seed=k, **more) for k in range(3)]
    for model, (place, height) in zip(models, PLACES, strict=True):
        model.data[15:17] += 50.0
        model.data[place] += height
        model.err[place] += height  # as ramps with a jump have it: the median error must stand for it
    return models


def test_cosmic_rays_are_found_and_nothing_else():
    before = exposures()
    results = OutlierDetectionStep().run(before)
    for model, given, (place, _) in zip(results, before, PLACES, strict=True):
        found = model.dq & OUTLIER > 0
        assert found[place] and found.sum() <= 2
        assert (model.dq[found] & DO_NOT_USE).all() and np.isnan(model.data[found]).all()
        assert not given.dq.any()
        assert model.meta.cal_step.outlier_detection == "COMPLETE"


def test_without_resampling():
    models = [spectrum(number=k + 1, seed=k) for k in range(3)]
    models[1].data[20, 10] += 30
    results = OutlierDetectionStep(resample_data=False).run(models)
    assert [(m.dq & OUTLIER > 0).sum() for m in results] == [0, 1, 0]


def test_intermediate_results(tmp_path):
    step = OutlierDetectionStep(save_intermediate_results=True, output_dir=str(tmp_path))
    step.run(exposures())
    names = {p.name for p in tmp_path.glob("*.fits")}
    root = "jw00001_0000{}_mirimage_{}.fits"
    assert names == {root.format(k, s) for k in (1, 2, 3) for s in ("blot", "outlier_s2d")} | {
        root.format(1, "median")
    }


def test_one_exposure_is_skipped():
    (result,) = OutlierDetectionStep().run([spectrum()])
    assert result.meta.cal_step.outlier_detection == "SKIPPED"


def test_an_exposure_without_data_takes_no_part():
    models = exposures()
    models[2].data[:] = np.nan
    results = OutlierDetectionStep().run(models)
    assert np.isnan(results[2].data).all() and (results[2].dq & DO_NOT_USE).all()


def test_nirspec_is_refused():
    models = exposures()
    for model in models:
        model.meta.exposure.type = "NRS_FIXEDSLIT"
    with pytest.raises(PlanError, match="NRS_FIXEDSLIT"):
        OutlierDetectionStep().run(models)
