"""flat_field as a step: references, cut-outs, products, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from stage2_cases import CONFIG, SHAPE, flat, rate

from webbcal import datamodels, simulate
from webbcal.core.dqflags import pixel as DQ
from webbcal.core.errors import InputError, PlanError, ReferenceFileError
from webbcal.exposure.response.flat_field import FlatFieldStep
from webbcal.run.record import runs_of

NONE = {"override_fflat": "N/A", "override_sflat": "N/A", "override_dflat": "N/A"}


def run(model, reference, **parameters):
    return FlatFieldStep.call(model, override_flat=reference, **NONE, **parameters)


def test_the_input_is_not_changed_and_the_record_says_what_was_done():
    model = rate()
    result = run(model, flat())
    assert (model.data == 10).all() and not model.has("var_flat") and model.meta.cal_step.flat_field is None
    assert (result.data == 5).all() and result.meta.cal_step.flat_field == "COMPLETE"
    (done,) = runs_of(result)
    assert [(s["step"], s["status"]) for s in done["steps"]] == [("flat_field", "COMPLETE")]
    assert result.meta.ref_file.flat.name.startswith("override://")
    assert result.meta.ref_file.dflat.name == "N/A"


def test_integrations():
    result = run(rate(nints=3), flat())
    assert result.data.shape == result.var_flat.shape == (3, *SHAPE) and (result.data == 5).all()


def test_a_full_frame_flat_is_cut(tmp_path):
    full = {"subarray.xstart": 1, "subarray.ystart": 1, "subarray.xsize": 2048, "subarray.ysize": 2048}
    y, x = np.mgrid[:2048, :2048].astype(np.float32)
    reference = flat(shape=(2048, 2048), **full)
    reference.data = 1 + y + 4096 * x
    box = CONFIG.aperture.box
    result = run(rate(), reference)
    expected = np.float32(10) / (1 + y + 4096 * x)[box.slices]
    np.testing.assert_array_equal(result.data, expected)


def test_flags_of_the_flat_move_to_their_standard_places(tmp_path):
    flat().save(tmp_path / "flat.fits")
    table = np.array([(0, 1, "NO_FLAT_FIELD", "")], "i4,i4,S40,S80")
    table.dtype.names = ("BIT", "VALUE", "NAME", "DESCRIPTION")
    with fits.open(tmp_path / "flat.fits", mode="update") as hdus:
        hdus["DQ"].data[3, 4] = 1
        hdus.append(fits.BinTableHDU(table, name="DQ_DEF"))
    result = run(rate(), str(tmp_path / "flat.fits"))
    assert result.dq[3, 4] == DQ["NO_FLAT_FIELD"] | DQ["DO_NOT_USE"] and np.isnan(result.data[3, 4])
    assert np.count_nonzero(result.dq) == 1


def test_a_flat_without_errors_adds_none():
    reference = datamodels.FlatModel(data=np.full(SHAPE, 2.0, np.float32))
    reference.update(flat())
    result = run(rate(), reference)
    assert not result.var_flat.any()
    np.testing.assert_allclose(result.err, 0.25)


def test_the_users_flat_stands_for_all_references(tmp_path):
    flat(4.0).save(tmp_path / "mine.fits")
    path = str(tmp_path / "mine.fits")
    result = FlatFieldStep.call(rate(), user_supplied_flat=path)  # asks CRDS for nothing: there is none here
    assert (result.data == 2.5).all() and result.meta.ref_file.flat.name == path


def test_inverse_and_saved_flat(tmp_path):
    reference = flat()
    reference.data[0, 0] = np.nan
    result = run(
        rate(),
        reference,
        inverse=True,
        save_interpolated_flat=True,
        save_results=True,
        output_dir=str(tmp_path),
    )
    assert result.data[1, 1] == 20 and result.err[1, 1] == pytest.approx(1.0)
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == [f"{CONFIG.rootname}_flatfieldstep.fits", f"{CONFIG.rootname}_interpolatedflat.fits"]
    with datamodels.open(tmp_path / names[1]) as saved:
        assert type(saved).__name__ == "FlatModel" and saved.data[0, 0] == 1.0
        assert saved.dq[0, 0] == DQ["NO_FLAT_FIELD"] | DQ["DO_NOT_USE"]
        assert saved.meta.subarray.name == "SUB64P"


def test_without_a_reference_the_step_is_skipped():
    result = run(rate(), "N/A")
    assert result.meta.cal_step.flat_field == "SKIPPED" and (result.data == 10).all()
    assert runs_of(result)[0]["steps"][0]["reason"] == "No FLAT reference file found (N/A)"


def test_what_is_no_image_is_skipped():
    model = datamodels.MultiSlitModel()
    model.meta.instrument.name = "NIRCAM"
    assert run(model, flat()).meta.cal_step.flat_field == "SKIPPED"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (lambda: flat(**{"instrument.detector": "NRCA1"}), "NRCA1.*NRCB1"),
        (lambda: flat(**{"subarray.xstart": 300}), "does not contain"),
        (lambda: flat(shape=(32, 64)), "does not contain|must agree"),
        (lambda: "missing_flat.fits", "missing_flat.fits"),
    ],
)
def test_references_that_do_not_fit(reference, message):
    with pytest.raises(ReferenceFileError, match=f"(?s){message}"):
        run(rate(), reference())


def test_a_file_of_another_type_is_refused(tmp_path):
    flat(reftype="gain").save(tmp_path / "gain.fits")
    with pytest.raises(ReferenceFileError, match="GAIN"):
        run(rate(), str(tmp_path / "gain.fits"))


def test_a_damaged_reference_is_named(tmp_path):
    flat().save(tmp_path / "flat.fits")
    whole = (tmp_path / "flat.fits").read_bytes()
    (tmp_path / "cut.fits").write_bytes(whole[: len(whole) // 3])
    with pytest.raises(ReferenceFileError, match=r"cut\.fits"):
        run(rate(), str(tmp_path / "cut.fits"))


def test_nirspec_is_refused():
    with pytest.raises(PlanError, match=r"flat_field\.skip=true"):
        run(rate(**{"instrument.name": "NIRSPEC"}), flat())


def test_arrays_of_different_shape_are_refused():
    model = rate()
    model.err = np.ones((3, 3), np.float32)
    with pytest.raises(InputError, match=r"err.*\(3, 3\).*data"):
        run(model, flat())


def test_a_file_that_is_missing():
    with pytest.raises((InputError, FileNotFoundError), match=r"nothing\.fits"):
        run(Path("nothing_rate.fits").with_name("nothing.fits"), flat())


def test_threads_do_not_matter(monkeypatch):
    made = simulate.expose_rates(CONFIG).model
    reference = flat()
    reference.data += np.linspace(0, 1, 64, dtype=np.float32)
    results = []
    for threads in ("1", "4"):
        monkeypatch.setenv("WEBBCAL_THREADS", threads)
        monkeypatch.setattr("webbcal.exposure.images._BAND_PIXELS", 640)
        results.append(run(made, reference))
    for name in ("data", "err", "dq", "var_flat", "var_poisson"):
        np.testing.assert_array_equal(getattr(results[0], name), getattr(results[1], name))


def test_single_spectra_on_the_detector():
    """A slit as large as the subarray lies where that lies, whatever its own corner says."""
    image = rate(nints=2)
    slit = datamodels.SlitModel(image)
    slit.xstart, slit.ystart = image.meta.subarray.xstart, image.meta.subarray.ystart
    result = run(slit, flat())
    assert (result.data == 5).all() and result.var_flat.shape == (2, *SHAPE)


def test_spectra_that_were_cut_out_are_skipped():
    model = rate()
    model.meta.cal_step.extract_2d = "COMPLETE"
    assert run(model, flat()).meta.cal_step.flat_field == "SKIPPED"
