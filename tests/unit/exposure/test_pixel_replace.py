"""pixel_replace: values by hand, flags, lists, and what it leaves alone."""

from pathlib import Path

import numpy as np
import pytest
import slit_cases as cases
from rectified_cases import spectrum

from webbcal import datamodels
from webbcal.core.dqflags import pixel as DQ
from webbcal.core.errors import PlanError
from webbcal.core.resources import Resources
from webbcal.exposure.repair.pixel_replace import PixelReplaceStep
from webbcal.io.arrays import in_file
from webbcal.pipeline.spec3 import Spec3Pipeline
from webbcal.run.progress import Silent
from webbcal.run.run import Run
from webbcal.run.script import Task, perform

ESTIMATED, DO_NOT_USE, NON_SCIENCE = DQ["FLUX_ESTIMATED"], DQ["DO_NOT_USE"], DQ["NON_SCIENCE"]


def run(model, **parameters):
    return PixelReplaceStep(skip=False, **parameters).run(model)


def sloped(*bad, flags=DO_NOT_USE):
    """Return a spectrum that rises by 1 a row and 10 a column, without the pixels given."""
    model = spectrum()
    y, x = np.indices(model.shape)
    model.data = (y + 10.0 * x).astype(np.float32)
    model.err = (1.0 + 0.1 * y).astype(np.float32)
    for place in bad:
        model.data[place], model.err[place], model.dq[place] = np.nan, np.nan, flags
        for name in ("var_rnoise", "var_poisson", "var_flat"):
            getattr(model, name)[place] = np.nan
    return model


def test_the_mean_along_the_flatter_axis():
    result = run(sloped((9, 9)))
    assert result.data[9, 9] == 99 and result.err[9, 9] == pytest.approx(1.9)
    assert result.var_rnoise[9, 9] == pytest.approx(0.04)
    assert result.dq[9, 9] == ESTIMATED
    assert result.meta.cal_step.pixel_replace == "COMPLETE"


def test_along_the_other_axis_if_a_neighbour_is_bad():
    result = run(sloped((9, 9), (10, 9)))
    assert [result.data[9, 9], result.data[10, 9]] == [99, 100]


def test_a_pixel_among_bad_ones_stays_bad():
    result = run(sloped((9, 9), (10, 9), (9, 10)))
    assert np.isnan(result.data[9, 9]) and result.dq[9, 9] == DO_NOT_USE


@pytest.mark.parametrize("place", [(1, 9), (39, 9), (9, 1), (9, 20)])
def test_edges_are_left_alone(place):
    assert np.isnan(run(sloped(place)).data[place])


def test_pixels_without_science_are_still_not_used():
    result = run(sloped((9, 9), flags=DO_NOT_USE | NON_SCIENCE))
    assert result.dq[9, 9] == DO_NOT_USE | NON_SCIENCE | ESTIMATED


def test_profiles():
    model = spectrum()
    profile = 100 * np.exp(-0.5 * ((np.arange(21) - 10) / 2.0) ** 2) + 1
    model.data = (np.linspace(1, 2, 40)[:, None] * profile).astype(np.float32)
    expected = model.data[20, 10]
    model.data[20, 10], model.dq[20, 10] = np.nan, DO_NOT_USE
    result = run(model, algorithm="fit_profile")
    assert result.data[20, 10] == pytest.approx(expected, rel=1e-3) and result.dq[20, 10] == ESTIMATED
    before = np.isfinite(model.data)
    np.testing.assert_array_equal(result.data[before], model.data[before])
    assert not np.isfinite(model.data[20, 10])


def test_a_model_of_the_trace():
    model = sloped((9, 9), (12, 5))
    model.trace_model = np.full(model.shape, 7.0, np.float32)
    model.trace_model[12, 5] = np.nan
    result = run(model, algorithm="trace_model")
    assert result.data[9, 9] == 7 and result.data[12, 5] == 62
    assert result.err[9, 9] == pytest.approx(1.9) and result.var_flat[9, 9] == pytest.approx(0.01)


def test_without_a_model_of_the_trace_the_mean_is_taken(caplog):
    assert run(sloped((9, 9)), algorithm="trace_model").data[9, 9] == 99
    assert "no model of the trace" in caplog.text


@pytest.mark.parametrize("algorithm", ["mingrad", "fit_profile", "trace_model"])
def test_a_spectrum_without_any_data(algorithm):
    model = spectrum(value=np.nan)
    model.dq[:] = DO_NOT_USE
    result = run(model, algorithm=algorithm)
    assert np.isnan(result.data).all() and (result.dq == DO_NOT_USE).all()


def test_a_list_of_exposures():
    models = [sloped((9, 9)), sloped((12, 8))]
    results = run(models)
    assert all(in_file(model.contents.tree["data"]) for model in results)  # none of them is in memory
    assert [results[0].data[9, 9], results[1].data[12, 8]] == [99, 92]
    assert np.isnan(models[0].data[9, 9]) and results[0].meta.filename == models[0].meta.filename
    assert len(list(Path().glob(".image.*"))) == 2
    del results
    assert not list(Path().glob(".image.*"))


def test_in_a_pipeline_nobody_keeps_exposures_in_memory():
    """The pipeline has the models, too."""
    step = PixelReplaceStep(skip=False, parent=Spec3Pipeline())
    models = [sloped((9, 9)), sloped((12, 8))]
    outer = Run(step.parent, Resources.of_machine(1, None), Silent())
    with outer.active():
        perform([Task(step)], models, outer)
    assert all(in_file(model.contents.tree["data"]) for model in models)
    assert [models[0].data[9, 9], models[1].data[12, 8]] == [99, 92]


def test_integrations_and_slits():
    series = cases.slit_model("MIR_LRS-SLITLESS", (3, 40, 30), 5.0, 12.0, 2)
    assert (run(series).dq & ESTIMATED).any(axis=(1, 2)).all()
    slits = cases.multi_slit("NRC_WFSS", 1, 3.0, 4.0)
    assert all((slit.dq & ESTIMATED).any() for slit in run(slits, algorithm="fit_profile").slits)


def test_a_slit_whose_direction_is_not_known(caplog):
    slits = cases.multi_slit("NRC_WFSS", 1, 3.0, 4.0)
    slits.slits[1].meta.wcsinfo.dispersion_direction = None
    result = run(slits, algorithm="fit_profile")
    assert not (result.slits[1].dq & ESTIMATED).any() and "DISPAXIS" in caplog.text


def test_tables_are_skipped_and_profiles_of_integral_fields_refused():
    assert run(cases.soss_tables()).meta.cal_step.pixel_replace == "FAILED"
    with pytest.raises(PlanError, match="profiles"):
        run(datamodels.IFUImageModel(data=np.zeros((9, 9), np.float32)), algorithm="fit_profile")


def test_it_tells_how_many(caplog):
    caplog.set_level("INFO")
    result = run(sloped((9, 9), (3, 4)))
    assert "2 pixels replaced" in caplog.text
    run(result)
    assert "0 pixels replaced" in caplog.text
