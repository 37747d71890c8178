"""calwebb_spec2 and calwebb_spec3: what they take, make, plan and refuse. Numbers are held elsewhere."""

import json
import logging
from types import SimpleNamespace

import numpy as np
import pytest
from spectral_cases import SLIT, association, lrs_slit

from webbcal import datamodels
from webbcal.cli.main import main
from webbcal.core.errors import InputError, MissingInputError, PlanError
from webbcal.core.resources import Resources
from webbcal.pipeline.spec2 import Spec2Pipeline
from webbcal.pipeline.spec3 import Spec3Pipeline, check_spectra
from webbcal.run.model_step import ModelStep
from webbcal.run.planning import Sizes, working_bytes
from webbcal.run.progress import Silent
from webbcal.run.record import runs_of
from webbcal.run.registry import step_class
from webbcal.run.run import Run
from webbcal.run.script import Task, perform
from webbcal.spectra.combine_1d import Combine1dStep
from webbcal.spectra.extract_1d import Extract1dStep


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """Return a nod pair of MIRI LRS, with its references."""
    return lrs_slit(tmp_path_factory.mktemp("lrs"), background=False)


@pytest.fixture(autouse=True)
def environment(case, monkeypatch):
    for name, value in case.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def calibrated(case, tmp_path_factory):
    """Return the folder with what stage 2 makes of the pair."""
    folder = tmp_path_factory.mktemp("spec2")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in case.environment.items():
            patch.setenv(name, value)
        for path in case.spec2:
            Spec2Pipeline.call(str(path), output_dir=str(folder), save_results=True)
    return folder


def names(folder):
    return sorted(p.name for p in folder.glob("*.fits"))


def test_they_have_their_names():
    assert step_class("calwebb_spec2") is step_class("jwst.pipeline.Spec2Pipeline") is Spec2Pipeline
    assert step_class("calwebb_tso-spec2") is Spec2Pipeline
    assert step_class("calwebb_spec3") is step_class("Spec3Pipeline") is Spec3Pipeline


def test_products_of_a_slit(calibrated, case):
    roots = [path.name.removesuffix("_spec2_asn.json") for path in case.spec2]
    assert names(calibrated) == sorted(f"{r}_{s}.fits" for r in roots for s in ("cal", "s2d", "x1d"))
    with datamodels.open(calibrated / f"{roots[0]}_cal.fits") as model:
        done = model.meta.cal_step
        assert type(model).__name__ == "SlitModel" and model.meta.asn.table_name == case.spec2[0].name
        applied = (
            done.assign_wcs,
            done.bkg_subtract,
            done.srctype,
            done.flat_field,
            done.pathloss,
            done.photom,
        )
        assert set(applied) == {"COMPLETE"}
        # What comes after the calibrated product is not told in it.
        assert done.pixel_replace is None and done.resample is None and done.extract_1d is None
    with datamodels.open(calibrated / f"{roots[0]}_x1d.fits") as model:
        assert (
            type(model).__name__ == "MultiSpecModel" and np.isfinite(model.spec[0].spec_table["FLUX"]).any()
        )


def test_what_was_done_before_is_told_in_spectra(calibrated):
    with datamodels.open(next(calibrated.glob("*_00001_mirimage_x1d.fits"))) as model:
        (run,) = runs_of(model)
        steps = [step["step"] for step in run["steps"]]
        assert steps[0] == "assign_wcs" and steps[-2:] == ["resample_spec", "extract_1d"]


def test_nothing_is_saved_unless_asked(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (result,) = Spec2Pipeline.call(str(case.rates[0]))
    assert type(result).__name__ == "SlitModel" and result.meta.cal_step.bkg_subtract == "SKIPPED"
    assert names(tmp_path) == []


def test_what_is_replaced_and_extracted_does_not_change_the_calibrated_exposure(case, tmp_path):
    common = {"output_dir": str(tmp_path)}
    (plain,) = Spec2Pipeline.call(str(case.rates[0]), steps={"extract_1d": {"skip": True}}, **common)
    (mended,) = Spec2Pipeline.call(str(case.rates[0]), steps={"pixel_replace": {"skip": False}}, **common)
    assert np.isnan(plain.data).any()
    np.testing.assert_array_equal(plain.data, mended.data)
    np.testing.assert_array_equal(plain.dq, mended.dq)


def test_a_plan_runs_nothing(case, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "calwebb_spec2", str(case.spec2[0])]) == 0
    told = capsys.readouterr().out
    assert "apply extract_1d" in told and "skip  msa_flagging: is for NIRSpec" in told
    assert "apply pathloss" in told  # that the source is a point will be found by srctype
    assert told.count("_x1d.fits") == 1 and names(tmp_path) == []


def test_of_exposures_of_a_field_one_product_is_foreseen(tmp_path):
    models = [datamodels.MultiSlitModel(), datamodels.MultiSlitModel()]
    for number, model in enumerate(models):
        model.meta.exposure.type, model.meta.filename = "NIS_WFSS", f"x{number}_cal.fits"
    extract = Extract1dStep(save_results=True, output_dir=str(tmp_path))
    combine = Combine1dStep(save_results=True, output_dir=str(tmp_path))
    assert len(extract.output_paths(models)) == 1
    assert len(combine.output_paths(models)) == 1
    models[0].meta.exposure.type = "MIR_LRS-FIXEDSLIT"
    assert len(extract.output_paths(models)) == 2 and len(combine.output_paths(models)) == 1


def test_libraries_of_later_steps_are_not_there_yet():
    """Of a step that needs memory, then one that loads libraries, each has its own peak."""

    class Step(SimpleNamespace):
        parameters = None

        def scratch_bytes(self, sizes, p):
            return self.work * sizes.threads

        def __hash__(self):
            return id(self)

    big, loads = Step(library_bytes=1, work=100), Step(library_bytes=60, work=10)
    one = Sizes(1, 1, 1)
    assert working_bytes({big: one, loads: one}, 1) == 101
    assert working_bytes({loads: one, big: one}, 1) == 160
    assert working_bytes({loads: one, big: one}, 2) == 260
    assert working_bytes({}, 1) == 0


def test_other_modes(case, tmp_path):
    def exposure(exp_type):
        model = datamodels.ImageModel(np.zeros((8, 8), np.float32))
        model.meta.exposure.type, model.meta.filename = exp_type, "x_rate.fits"
        return model

    with pytest.raises(InputError, match=r"exposure is an image \(EXP_TYPE MIR_IMAGE\): calwebb_image2"):
        Spec2Pipeline.call(exposure("MIR_IMAGE"))
    for exp_type in ("NRS_FIXEDSLIT", "NRS_MSASPEC", "MIR_MRS"):
        with pytest.raises(PlanError, match=rf"x_rate\.fits: spectra of EXP_TYPE {exp_type} are not"):
            Spec2Pipeline.call(exposure(exp_type))
    with pytest.raises(InputError, match="names no source catalogue"):
        Spec2Pipeline.call(exposure("NIS_WFSS"))
    field = exposure("NIS_WFSS")
    field.meta.source_catalog = "lost_cat.ecsv"
    with pytest.raises(MissingInputError, match=r"lost_cat\.ecsv does not exist"):
        Spec2Pipeline.call(field)


def test_images_are_not_made_of_spectra(case):
    with pytest.raises(InputError, match=r"of spectra \(MIR_LRS-FIXEDSLIT\): calwebb_spec2 is for"):
        step_class("calwebb_image2").call(str(case.spec2[0]))


def test_a_spectrum_without_flat_field_is_a_spectrum(case, tmp_path):
    """Nothing is known of the variance of a flat field that was not applied."""
    steps = {"flat_field": {"skip": True}}
    Spec2Pipeline.call(str(case.spec2[0]), output_dir=str(tmp_path), save_results=True, steps=steps)
    with datamodels.open(next(tmp_path.glob("*_x1d.fits"))) as model:
        table = model.spec[0].spec_table
        assert np.isfinite(table["FLUX"]).mean() > 0.9 and np.nanmedian(table["FLUX_ERROR"]) > 0


def test_rectified_spectra_are_not_combined_again(calibrated):
    with pytest.raises(InputError, match=r"_s2d\.fits: is rectified already"):
        Spec3Pipeline.call([str(path) for path in sorted(calibrated.glob("*_s2d.fits"))])


def test_from_the_command_line(case, tmp_path, capsys):
    words = [
        "run",
        "calwebb_spec2",
        str(case.rates[1]),
        f"--output_dir={tmp_path}",
        "--steps.pathloss.skip=true",
    ]
    assert main(words) == 0
    assert len(names(tmp_path)) == 3
    assert main(["run", "calwebb_spec2", str(tmp_path / names(tmp_path)[0]), f"--output_dir={tmp_path}"]) == 1
    assert "it takes what calwebb_detector1 makes" in capsys.readouterr().err


def test_stage_3_of_a_slit(case, calibrated, tmp_path):
    members = [(path, "science") for path in sorted(calibrated.glob("*_cal.fits"))]
    path = association(calibrated, "spec3", "star", members)
    result = Spec3Pipeline.call(str(path), output_dir=str(tmp_path), save_results=True)
    assert type(result).__name__ == "MultiSpecModel" and result.meta.asn.table_name == path.name
    assert [n for n in names(tmp_path) if n.startswith("star")] == ["star_s2d.fits", "star_x1d.fits"]
    assert len([n for n in names(tmp_path) if n.endswith("_a3001_crf.fits")]) == 2
    path.unlink()


def test_hooks_of_stage_3_do_not_change_names(case, calibrated, tmp_path):
    path = association(calibrated, "spec3", "star", [(p, "science") for p in calibrated.glob("*_cal.fits")])
    steps = {
        "outlier_detection": {"post_hooks": [lambda models: [m.data.fill(1.0) for m in models] and None]}
    }
    Spec3Pipeline.call(str(path), output_dir=str(tmp_path), save_results=True, steps=steps)
    flagged = sorted(tmp_path.glob("*_00001_mirimage_a3001_crf.fits"))
    assert len(flagged) == 1 and len(names(tmp_path)) == 4
    with datamodels.open(flagged[0]) as model:
        assert (model.data == 1).all()
    path.unlink()


def test_hooks_and_users_steps_get_what_jwst_gives_them():
    """What only our steps are given beside the exposure, such as files of its field, is not for hooks."""
    seen = []

    class Ours(ModelStep):
        takes = "any"

        def work(self, run, *args):
            seen.append(("ours", *args[1:]))
            return args[0]

    class Users(ModelStep):
        takes = "any"

        def process(self, *args):
            seen.append(("users", *args[1:]))
            return args[0]

    exposure = datamodels.ImageModel(np.zeros((4, 4), np.float32))
    for step in (Ours(), Users()):
        step.pre_hooks = [lambda *args: seen.append(("hook", *args[1:]))]
        run = Run(step, Resources.of_machine(1, None), Silent())
        perform([Task(step, ("members",), beside=("field",))], exposure, run)
    seen_by_hook = ("hook", "members")
    assert seen == [seen_by_hook, ("ours", "members", "field"), seen_by_hook, ("users", "members")]


def test_exposures_that_were_not_rectified_are_combined_as_spectra(calibrated, tmp_path):
    models = sorted(str(p) for p in calibrated.glob("*_cal.fits"))
    steps = {"resample_spec": {"skip": True}, "outlier_detection": {"skip": True}}
    Spec3Pipeline.call(models, output_dir=str(tmp_path), save_results=True, steps=steps)
    roots = [name.rpartition("_cal")[0] for name in names(calibrated) if "_cal" in name]
    assert names(tmp_path) == [f"{roots[0]}_0_x1d.fits", f"{roots[0]}_1_x1d.fits", f"{roots[0]}_c1d.fits"]


def test_what_stage_3_refuses(case, calibrated, caplog):
    first, second = (datamodels.open(p) for p in sorted(calibrated.glob("*_cal.fits")))
    second.meta.instrument.filter = "F770W"
    with pytest.raises(InputError, match=r"exposures of several filters cannot be combined"):
        check_spectra([first, second], ["a", "b"])
    first.meta.exposure.type = "MIR_MRS"
    with pytest.raises(PlanError, match="EXP_TYPE is MIR_MRS"):
        check_spectra([first], ["a"])
    with pytest.raises(InputError, match="is an ImageModel; calwebb_spec3 combines calibrated spectra"):
        Spec3Pipeline.call([str(case.rates[0])])
    asn = json.loads(case.spec3.read_text()) | {"asn_type": "image3"}
    (case.folder / "wrong_asn.json").write_text(json.dumps(asn))
    with caplog.at_level(logging.WARNING), pytest.raises(MissingInputError):
        Spec3Pipeline.call(str(case.folder / "wrong_asn.json"))
    assert SLIT.filter == "P750L"


@pytest.mark.parametrize(
    ("exp_type", "wheel", "grisms"),
    [("NRC_WFSS", "pupil", ("GRISMR", "GRISMC")), ("NIS_WFSS", "filter", ("GR150R", "GR150C"))],
)
def test_grisms_are_not_mixed(exp_type, wheel, grisms):
    models = [datamodels.MultiSlitModel() for _ in grisms]
    for model, grism in zip(models, grisms, strict=True):
        model.meta.exposure.type = exp_type
        setattr(model.meta.instrument, wheel, grism)
    with pytest.raises(InputError, match=rf"several {wheel}s cannot be combined: {grisms[0]}.*{grisms[1]}"):
        check_spectra(models, ["a", "b"])


def test_what_does_not_fit_on_one_thread_either_is_not_told_to_take_one(case, calibrated, monkeypatch):
    with pytest.raises(PlanError, match=r"but max_memory is 90 MB: allow it more memory$"):
        Spec2Pipeline.call(str(case.spec2[0]), max_memory="90MB", threads=2)
    monkeypatch.setattr("webbcal.core.resources.available_memory", lambda: 90_000_000)
    with pytest.raises(PlanError, match=r"but 90 MB are free: run it where more is free$"):
        Spec3Pipeline.call([str(path) for path in calibrated.glob("*_cal.fits")])


def test_exposures_without_any_data_are_told(case, calibrated, tmp_path, caplog):
    for path in calibrated.glob("*_cal.fits"):
        with datamodels.open(path) as model:
            model.data[:] = np.nan
            model.save(tmp_path / path.name)
    members = [str(path) for path in sorted(tmp_path.glob("*_cal.fits"))]
    Spec3Pipeline.call(members, steps={"outlier_detection": {"skip": True}})
    (told,) = [r.message for r in caplog.records if "no spectrum has a valid flux" in r.message]
    assert "_s2d.fits" in told


def test_an_association_of_another_level_is_told_once(case, tmp_path, caplog):
    members = [(path, "science") for path in case.rates]
    path = association(case.folder, "spec3", "rates", members)
    with pytest.raises(InputError, match="association of level 3"):
        Spec2Pipeline.call(str(path))
    assert not [r for r in caplog.records if "science members" in r.message]
    path.write_text(path.read_text().replace("spec3", "spec2").replace("DMS_Level3_Base", "DMSLevel2bBase"))
    Spec2Pipeline(skip=True).plan(str(path))
    assert len([r for r in caplog.records if "has 2 science members; only the first" in r.message]) == 1
    path.unlink()
