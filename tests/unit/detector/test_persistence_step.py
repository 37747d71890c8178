"""persistence on models: its two generations, its state from exposure to exposure, and what does not fit."""

import logging
from pathlib import Path
from typing import Any

import asdf
import numpy as np
import pytest
from astropy.io import fits

from webbcal import datamodels
from webbcal.core.errors import InputError, ParameterError
from webbcal.datamodels import dqflags
from webbcal.detector.dark_current import DarkCurrentStep
from webbcal.detector.dq_init import DQInitStep
from webbcal.detector.persistence import PersistenceStep
from webbcal.pipeline.detector1 import Detector1Pipeline
from webbcal.run.engine import passes
from webbcal.run.engine.tiling import Cut

PERSISTENCE = dqflags.pixel["PERSISTENCE"]
SIZE = 64


@pytest.fixture
def ramp(crds: Any) -> Any:
    """Two integrations of six groups: an even ramp, with stars."""
    model = DQInitStep().run(crds.uncal[0])
    growth = np.full((SIZE, SIZE), 200.0, np.float32)
    growth[20:24, 30:40] = 15000.0
    model.data = np.arange(1, 7, dtype=np.float32)[:, None, None] * growth * np.ones((2, 1, 1, 1), np.float32)
    model.groupdq[:] = 0
    model.groupdq[:, 4:, 20:24, 30:40] = dqflags.group["SATURATED"]
    model.meta.exposure.frame_time = model.meta.exposure.group_time = 10.0
    return model


def traps() -> dict[str, Any]:
    """Return references of the trap model, as overrides."""
    table = np.zeros(3, datamodels.TrapParsModel().get_dtype("trappars_table"))
    table["capture0"], table["capture2"] = [180, 270, 80], [65, 60, 25]
    table["capture1"], table["decay_param"] = [-0.0004, -0.004, -0.0009], [-0.01, -0.001, -0.0002]
    density = np.linspace(0.5, 1.5, SIZE * SIZE, dtype=np.float32).reshape(SIZE, SIZE)
    return {
        "override_trapdensity": datamodels.TrapDensityModel(data=density),
        "override_persat": datamodels.PersistenceSatModel(data=np.full((SIZE, SIZE), 4e4, np.float32)),
        "override_trappars": datamodels.TrapParsModel(trappars_table=table),
    }


def filled_before(ramp: Any, name: str = "before.fits", **exposure: Any) -> str:
    """Write the traps that an exposure that ended a minute before has filled; return the file."""
    model = datamodels.TrapsFilledModel(data=np.zeros((3, 2048, 2048), np.float32))
    box = ramp.meta.subarray
    model.data[:, box.ystart - 1 + 5 : box.ystart + 30, box.xstart - 1 + 5 : box.xstart + 30] = 300.0
    model.data[0, 0, 0] = np.nan
    model.data[:, 3, 3] = 100.0
    model.meta.instrument.detector = "NRCB1"
    model.meta.exposure.end_time = ramp.meta.exposure.start_time - 60.0 / 86400.0
    for key, value in exposure.items():
        setattr(model.meta.exposure, key, value)
    model.save(name)
    return name


def product(suffix: str) -> str:
    """Return the only file with a suffix."""
    (path,) = Path().glob(f"*_{suffix}.fits")
    return str(path)


def test_what_traps_give_back_is_subtracted_and_saved(ramp: Any) -> None:
    step = PersistenceStep(input_trapsfilled=filled_before(ramp), save_persistence=True, **traps())
    result = step.run(ramp)
    assert result.meta.cal_step.persistence == "COMPLETE"
    subtracted = ramp.data - result.data
    left = [300.0 * np.exp(-60.0 * rate) for rate in (0.01, 0.001, 0.0002)]
    first = sum(n * -np.expm1(-10.0 * rate) for n, rate in zip(left, (0.01, 0.001, 0.0002), strict=True))
    np.testing.assert_allclose(subtracted[0, 0, 10, 10], first, rtol=1e-4)
    assert (np.diff(subtracted[0, :, 10, 10]) > 0).all() and not subtracted[0, :, 40, 40].any()
    assert subtracted[1, 0, 21, 35] > 0.05, "the first integration has filled traps"
    np.testing.assert_allclose(fits.getdata(product("output_pers")), subtracted, atol=0.005)
    with datamodels.open(product("trapsfilled")) as filled:
        assert type(filled).__name__ == "TrapsFilledModel" and filled.data.shape == (3, 2048, 2048)
        assert (filled.meta.subarray.xsize, filled.meta.subarray.xstart) == (2048, 1)
        assert filled.meta.exposure.end_time == ramp.meta.exposure.end_time
        assert np.isfinite(filled.data).all()
        # outside of the subarray they give back as long: until it begins, and for twelve groups and a reset
        seconds = 60.0 + 13 * 10.0
        expected = [100.0 * np.exp(-seconds * rate) for rate in (0.01, 0.001, 0.0002)]
        np.testing.assert_allclose(filled.data[:, 3, 3], expected, rtol=1e-5)

    flagged = result.pixeldq & PERSISTENCE != 0
    np.testing.assert_array_equal(flagged, subtracted.max(axis=(0, 1)) >= 40.0)
    assert flagged.any() and not flagged.all()


def test_the_noise_of_what_is_subtracted_is_handed_on_beside_the_dark_current(ramp: Any) -> None:
    words = {"input_trapsfilled": filled_before(ramp), "save_trapsfilled": False, **traps()}
    assert not PersistenceStep(**words).run(ramp).has("average_dark_current")
    result = PersistenceStep(include_noise=True, **words).run(ramp)
    seconds = 2 * 6 * 10.0 + 10.0  # two integrations, and the reset between them
    left = [(300.0 * np.exp(-60.0 * rate), rate) for rate in (0.01, 0.001, 0.0002)]
    mean = sum(n * -np.expm1(-seconds * rate) for n, rate in left) / seconds
    np.testing.assert_allclose(result.average_dark_current[10, 10], mean, rtol=1e-5)
    assert not result.average_dark_current[40, 40]
    later = DarkCurrentStep(average_dark_current=0.5).run(result)
    np.testing.assert_allclose(later.average_dark_current, result.average_dark_current + 0.5, rtol=1e-6)


def test_the_state_goes_from_exposure_to_exposure(ramp: Any) -> None:
    PersistenceStep(save_trapsfilled=True, **traps()).run(ramp)
    later = ramp.copy()
    later.meta.exposure.start_time = ramp.meta.exposure.end_time + 100.0 / 86400.0
    later.data[:] = 0.0
    later.groupdq[:] = 0
    name = product("trapsfilled")
    result = PersistenceStep(input_trapsfilled=name, save_trapsfilled=False, **traps()).run(later)
    assert result.data[0, -1, 21, 35] < -1.0
    assert result.data[0, -1, 21, 35] < 100 * result.data[0, -1, 50, 50]


@pytest.mark.parametrize("parameters", [{"save_trapsfilled": True}, {"persistence_time": 25}])
def test_blocks_do_not_matter(ramp: Any, parameters: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    by_traps = "persistence_time" not in parameters
    # pixels are flagged in the second integration only: also the first must say so
    if by_traps:
        parameters = {**parameters, "flag_pers_cutoff": 0.1, **traps()}
        ramp.meta.exposure.nresets_between_ints = 0
    expected = PersistenceStep(save_results=True, output_file="whole.fits", **parameters).run(ramp)
    assert (expected.pixeldq & PERSISTENCE != 0).sum() == (40 if by_traps else 0)
    assert by_traps or (expected.groupdq[0, 4:, 21, 31] & PERSISTENCE).all()
    monkeypatch.setattr(passes, "cut_rows", lambda *_: Cut(7, 1, 6, SIZE))
    cut = PersistenceStep(save_results=True, output_file="cut.fits", **parameters).run(ramp)
    for name in ("data", "groupdq", "pixeldq"):
        np.testing.assert_array_equal(getattr(cut, name), getattr(expected, name))
    if by_traps:
        np.testing.assert_array_equal(*(fits.getdata(f"{n}_trapsfilled.fits") for n in ("cut", "whole")))


def test_what_measures_behind_it_sees_all_integrations(crds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jumps are compared over integrations, of which the second depends on the first."""
    steps = {"persistence": {"save_trapsfilled": True, **traps()}, "jump": {"minimum_sigclip_groups": 2}}
    table = steps["persistence"]["override_trappars"].trappars_table
    for name in ("capture0", "capture2"):
        table[name] *= 1000.0  # or nobody would see it
    expected = Detector1Pipeline(steps=steps).run(crds.uncal[0])
    monkeypatch.setattr(passes, "cut_rows", lambda *_: Cut(9, 1, 6, 20))
    cut = Detector1Pipeline(steps=steps).run(crds.uncal[0])
    for name in ("data", "err", "dq"):
        np.testing.assert_array_equal(getattr(cut, name), getattr(expected, name))
    without = Detector1Pipeline(steps={"jump": steps["jump"]}).run(crds.uncal[0])
    assert np.nanmax(abs(without.data - expected.data)) > 0


def test_parameters_choose_the_generation(ramp: Any) -> None:
    with pytest.raises(ParameterError, match=r"persistence_time flags .* input_trapsfilled subtracts it"):
        PersistenceStep(persistence_time=5, input_trapsfilled="x.fits").run(ramp)
    with pytest.raises(ParameterError, match=r"save_persistence = <file> .* flag_pers_cutoff"):
        PersistenceStep(save_persistence="x", flag_pers_cutoff=5).run(ramp)
    assert PersistenceStep().run(ramp).meta.cal_step.persistence == "FAILED"
    assert PersistenceStep(persistence_time=5).reference_file_types == ()
    assert "trapdensity" in PersistenceStep(save_persistence="true").reference_file_types
    assert "override_persat" in PersistenceStep.parameter_infos()
    assert "save_persistence = string(default=None)" in PersistenceStep.spec


def test_in_a_pipeline_it_runs_where_it_is_asked_for(crds: Any) -> None:
    def plans(**parameters: Any) -> dict[str, Any]:
        plan = Detector1Pipeline(steps={"persistence": parameters}).plan(crds.uncal[0])
        return {step.name: step for step in plan.steps}

    assert plans()["persistence"].reason.startswith("skip = True")
    steps = plans(persistence_time=100, skip=False)
    assert steps["persistence"].applied and list(steps)[-3] == "persistence"
    steps = plans(input_trapsfilled="before.fits")  # the cache has no such references
    assert steps["persistence"].reason == "No TRAPDENSITY reference file found (N/A)"
    assert list(steps).index("persistence") == list(steps).index("linearity") + 1
    steps = plans(input_trapsfilled="before.fits", **traps())
    assert steps["persistence"].applied
    steps = plans(input_trapsfilled="before.fits", skip=True)
    assert steps["persistence"].reason.startswith("skip = True")


def test_parameters_of_the_other_generation_are_in_files_only_where_they_are_set() -> None:
    PersistenceStep(persistence_time=5).export_config("windows.asdf")
    PersistenceStep(input_trapsfilled="x.fits").export_config("traps.asdf")
    with asdf.open("windows.asdf") as windows, asdf.open("traps.asdf") as traps_:
        assert not {"input_trapsfilled", "flag_pers_cutoff", "save_trapsfilled"} & set(windows["parameters"])
        assert traps_["parameters"]["input_trapsfilled"] == "x.fits"
        assert "flag_pers_cutoff" not in traps_["parameters"]


#: Changes of a file of traps, and what is said of it.
DAMAGES = {
    "detector": ("meta.instrument.detector", "NRCA1", r"is of detector NRCA1, but .* NRCB1; give the traps"),
    "families": (
        "data",
        np.zeros((2, SIZE, SIZE), np.float32),
        r"shape \(2, 64, 64\), but .* has 3 fam",
    ),
    "subarray": (
        "meta.subarray.ystart",
        100,
        r"covers columns .* rows 100–163, which does not",
    ),
    "nowhere": ("meta.subarray.xstart", None, "does not say where its 64 × 64 pixels lie"),
    "future": (
        "meta.exposure.end_time",
        70000.0,
        r"ended \d+ s after .* began; give that",
    ),
    "no_end": ("meta.exposure.end_time", None, "no_end.fits has no EXPEND"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_traps_that_do_not_fit_are_refused(name: str, ramp: Any) -> None:
    model = datamodels.TrapsFilledModel(data=np.zeros((3, SIZE, SIZE), np.float32))
    model.meta.instrument.detector = "NRCB1"
    model.meta.exposure.end_time = ramp.meta.exposure.start_time
    for corner in ("xstart", "ystart"):
        setattr(model.meta.subarray, corner, getattr(ramp.meta.subarray, corner))
    path, value, said = DAMAGES[name]
    model[path] = value
    model.save(f"{name}.fits")
    with pytest.raises(InputError, match=said):
        PersistenceStep(input_trapsfilled=f"{name}.fits", **traps()).run(ramp)
    assert not list(Path().glob("*_trapsfilled.fits")), "nothing is left behind"


def test_traps_that_are_no_file_are_refused(ramp: Any) -> None:
    with pytest.raises(InputError, match=r"input_trapsfilled gone.fits cannot be read"):
        PersistenceStep(input_trapsfilled="gone.fits", **traps()).run(ramp)
    Path("words.fits").write_text("no traps")
    with pytest.raises(InputError, match=r"input_trapsfilled words.fits cannot be read"):
        PersistenceStep(input_trapsfilled="words.fits", **traps()).run(ramp)


def test_windows_that_do_not_fit_are_refused(ramp: Any, caplog: pytest.LogCaptureFixture) -> None:
    def run(entry: Any, detector: str = "NRCB1") -> Any:
        asdf.AsdfFile({detector: entry}).write_to("windows.asdf")
        return PersistenceStep(persistence_time=5, persistence_array_file="windows.asdf").run(ramp)

    one = {"rows": np.array([70]), "cols": np.array([3]), "vals": np.array([1e9]), "pers_time": 5}
    with pytest.raises(InputError, match=r"up to column 3 and row 70, but .* has 64 × 64 pixels"):
        run(one)
    with pytest.raises(InputError, match=r"are of the pixels \[1, 1, 64, 64\].*same subarray"):
        run({**one, "rows": np.array([7]), "subarray": [1, 1, 64, 64]})
    with pytest.raises(InputError, match=r"differ in shape: \(2,\), \(1,\), \(1,\)"):
        run({**one, "rows": np.array([7, 8])})
    with pytest.raises(InputError, match="rows, cols and vals must be arrays of numbers"):
        run({"pers_time": 5, "rows": ["a"]})
    with caplog.at_level(logging.WARNING):
        run({**one, "pers_time": 6})
        run(one, "NRCA1")
        PersistenceStep(persistence_time=5, persistence_array_file="gone.asdf").run(ramp)
    for said in (
        "6 s does not equal persistence_time = 5",
        "has nothing of detector NRCB1",
        "does not exist",
    ):
        assert said in caplog.text
    Path("windows.asdf").write_bytes(b"no asdf")
    with pytest.raises(InputError, match=r"windows.asdf is no ASDF file"):
        PersistenceStep(persistence_time=5, persistence_array_file="windows.asdf").run(ramp)


def test_tables_that_contradict_the_data(ramp: Any, caplog: pytest.LogCaptureFixture) -> None:
    ramp.int_times = ramp.int_times[:1]
    with pytest.raises(InputError, match="INT_TIMES table has 1 rows, but the SCI array has 2 integrations"):
        PersistenceStep(persistence_time=5).run(ramp)
    del ramp.int_times
    assert PersistenceStep(persistence_time=5).run(ramp).meta.cal_step.persistence == "COMPLETE"
    ramp.meta.exposure.start_time = None
    with pytest.raises(InputError, match="neither an INT_TIMES table nor EXPSTART"):
        PersistenceStep(persistence_time=5).run(ramp)
    cut = DQInitStep().run(ramp)
    assert "GROUP table" not in caplog.text
    cut.group = cut.group[:3]
    DQInitStep().run(cut)
    assert (
        "GROUP table goes to integration 1 and group 3, but the SCI array has 2 integrations" in caplog.text
    )


def test_windows_go_to_the_folder_of_products_and_are_found_there(
    ramp: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As the next exposure's parameters name them: without the folder."""
    out = tmp_path / "out"
    out.mkdir()
    words = {"persistence_time": 5, "output_dir": str(out)}
    PersistenceStep(save_persistence="w.asdf", **words).run(ramp)
    assert (out / "w.asdf").exists() and not Path("w.asdf").exists()
    with asdf.open(out / "w.asdf") as saved:
        assert saved[ramp.meta.instrument.detector]["pers_time"] == 5
    step = PersistenceStep(persistence_array_file="w.asdf", persistence_time=6, output_dir=str(out))
    step.run(ramp)
    assert "time of 5 s does not equal persistence_time = 6" in caplog.text
