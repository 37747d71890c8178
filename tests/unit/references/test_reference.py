"""A reference: opened late, checked against the exposure, read by region."""

import hashlib
from types import SimpleNamespace

import numpy as np
import pytest

from webbcal import datamodels
from webbcal.core.box import Box
from webbcal.core.dqflags import pixel
from webbcal.core.errors import ReferenceFileError
from webbcal.references.cutout import Placement
from webbcal.references.reference import Reference

NY, NX = 40, 32
DQ_DEF = np.array(
    [(0, 1, "HOT", ""), (1, 2, "DO_NOT_USE", "")],
    dtype=[("BIT", "u4"), ("VALUE", "u4"), ("NAME", "S40"), ("DESCRIPTION", "S80")],
)


def exposure(**changes):
    facts = {
        "name": "x_uncal.fits",
        "instrument": "NIRCAM",
        "detector": "NRCALONG",
        "box": Box(110, 120, 205, 215),
        "fastaxis": -1,
        "slowaxis": 2,
    }
    place = Placement(**(facts | changes))
    return SimpleNamespace(placement=place, box=place.box, shape=(2, 5, *place.box.shape))


def described(model, reftype, detector="NRCALONG"):
    model.meta.reftype = reftype
    model.meta.instrument.name = "NIRCAM"
    model.meta.instrument.detector = detector
    sub = model.meta.subarray
    sub.xstart, sub.ystart, sub.xsize, sub.ysize = 201, 101, NX, NY
    sub.fastaxis, sub.slowaxis = -1, 2
    return model


@pytest.fixture
def values():
    return np.arange(NY * NX, dtype=np.float32).reshape(NY, NX)


@pytest.fixture
def gain_file(values, tmp_path):
    path = tmp_path / "gain.fits"
    described(datamodels.GainModel(data=values), "GAIN").save(path)
    return path


def test_reads_the_exposure_and_bands_of_it(gain_file, values):
    reference = Reference("gain", gain_file)
    reference.check(exposure())
    assert reference.box == Box(10, 20, 5, 15)
    np.testing.assert_array_equal(reference.read("data"), values[10:20, 5:15])
    np.testing.assert_array_equal(reference.read("data", Box(2, 4, 0, 10)), values[12:14, 5:15])
    assert reference.shape("data") == (NY, NX)
    assert reference.meta.instrument.detector == "NRCALONG"


def test_identity(gain_file, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    reference = Reference("gain", gain_file)
    assert (reference.header_name, reference.origin) == ("crds://gain.fits", "crds")
    assert reference.sha256 == hashlib.sha256(gain_file.read_bytes()).hexdigest()
    override = Reference("gain", str(gain_file), "override")
    assert override.header_name == str(gain_file)


def test_a_file_that_changes_while_it_is_used_has_no_digest(gain_file):
    reference = Reference("gain", gain_file)
    assert reference.sha256 == hashlib.sha256(gain_file.read_bytes()).hexdigest()
    gain_file.write_bytes(gain_file.read_bytes() + bytes(2880))
    assert reference.sha256 is None
    assert Reference("gain", gain_file).sha256 == hashlib.sha256(gain_file.read_bytes()).hexdigest()


def test_a_model_in_memory(values, tmp_path):
    model = described(datamodels.GainModel(data=values), "GAIN")
    reference = Reference("gain", model, "override")
    reference.check(exposure())
    np.testing.assert_array_equal(reference.read("data"), values[10:20, 5:15])
    reference.read("data")[:] = -1
    np.testing.assert_array_equal(model.data, values)
    assert (reference.path, reference.sha256, reference.header_name) == (None, None, "override://GainModel")


def test_leading_axes(values, tmp_path):
    frames = values + np.arange(6, dtype=np.float32)[:, None, None] * 10000
    path = tmp_path / "dark.fits"
    described(datamodels.DarkModel(data=frames), "DARK").save(path)
    reference = Reference("dark", path)
    reference.check(exposure())
    np.testing.assert_array_equal(
        reference.read("data", Box(0, 3, 0, 10), slice(2, 5)), frames[2:5, 10:13, 5:15]
    )
    np.testing.assert_array_equal(reference.read("data", None, 4), frames[4, 10:20, 5:15])


def test_dark_with_integrations(values, tmp_path):
    path = tmp_path / "dark.fits"
    dark = described(datamodels.DarkMIRIModel(data=np.stack([values, values + 1])[:, None]), "DARK")
    dark.meta.instrument.name, dark.meta.instrument.detector = "MIRI", "MIRIMAGE"
    dark.save(path)
    reference = Reference("dark", path)
    reference.check(exposure(instrument="MIRI", detector="MIRIMAGE"))
    assert reference.read("data").shape == (2, 1, 10, 10)


def test_dq_has_standard_bits_and_is_zero_if_absent(values, tmp_path, gain_file):
    stored = np.zeros((NY, NX), np.uint32)
    stored[12, 7], stored[13, 8] = pixel["HOT"], pixel["DO_NOT_USE"] | pixel["HOT"]
    path = tmp_path / "mask.fits"
    mask = described(datamodels.MaskModel(dq=np.zeros((NY, NX), np.uint32), dq_def=DQ_DEF), "MASK")
    mask.dq = stored
    mask.save(path)
    reference = Reference("mask", path)
    reference.check(exposure())
    np.testing.assert_array_equal(reference.read("dq"), stored[10:20, 5:15])
    gain = Reference("gain", gain_file)
    gain.check(exposure())
    assert not gain.has("dq")
    absent = gain.read("dq", Box(0, 4, 0, 10))
    assert absent.shape == (4, 10) and absent.dtype == np.uint32 and not absent.any()


def test_an_ipc_kernel_comes_whole(tmp_path):
    kernel = np.full((3, 3), 0.01, np.float32)
    model = datamodels.IPCModel(data=kernel)
    model.meta.reftype, model.meta.instrument.name = "IPC", "NIRCAM"
    model.meta.instrument.detector = "NRCALONG"
    model.save(tmp_path / "ipc.fits")
    reference = Reference("ipc", tmp_path / "ipc.fits")
    reference.check(exposure())
    np.testing.assert_array_equal(reference.read("data", Box(0, 2, 0, 2)), kernel)
    with pytest.raises(ReferenceFileError, match="NRCBLONG"):
        reference.check(exposure(detector="NRCBLONG"))


def test_what_does_not_fit_is_refused(values, gain_file, tmp_path):
    with pytest.raises(ReferenceFileError, match=r"gain\.fits.*NRCALONG.*NRCB1"):
        Reference("gain", gain_file).check(exposure(detector="NRCB1"))
    with pytest.raises(ReferenceFileError, match=r"rows 101–140.*rows 1–2048"):
        Reference("gain", gain_file).check(exposure(box=Box(0, 2048, 0, 2048)))
    with pytest.raises(ReferenceFileError, match=r"GAIN file.*override_readnoise"):
        Reference("readnoise", gain_file).check(exposure())
    odd = described(datamodels.SuperBiasModel(data=values, dq=np.zeros((NY, NX - 2), np.uint32)), "SUPERBIAS")
    with pytest.raises(ReferenceFileError, match="dq array has shape"):
        Reference("superbias", odd, "override").check(exposure())
    empty = described(datamodels.GainModel(), "GAIN")
    with pytest.raises(ReferenceFileError, match="no data array"):
        Reference("gain", empty, "override").check(exposure())


def test_files_that_cannot_be_opened(gain_file, tmp_path):
    with pytest.raises(ReferenceFileError, match=r"nowhere.*override_gain"):
        Reference("gain", tmp_path / "nowhere.fits").check(exposure())
    (tmp_path / "text.fits").write_text("not a FITS file")
    with pytest.raises(ReferenceFileError, match="cannot be opened"):
        Reference("gain", tmp_path / "text.fits").check(exposure())
    cut = tmp_path / "cut.fits"
    cut.write_bytes(gain_file.read_bytes()[:-4000])
    with pytest.raises(ReferenceFileError):
        reference = Reference("gain", cut)
        reference.check(exposure())
        reference.read("data")
    flat = described(datamodels.DarkModel(data=np.zeros((3, NY, NX), np.float32)), "GAIN")
    flat.save(tmp_path / "cube.fits")
    with pytest.raises(ReferenceFileError, match="cannot be opened"):
        Reference("gain", tmp_path / "cube.fits").check(exposure())


@pytest.mark.parametrize("given", [np.ones((NY, NX)), 5, {"data": 1}])
def test_what_is_no_reference_at_all(given):
    with pytest.raises(ReferenceFileError, match=f"override_gain is an? {type(given).__name__}"):
        Reference("gain", given, "override").check(exposure())


def test_a_model_of_another_kind(values):
    model = described(datamodels.ReadnoiseModel(data=values), None)
    with pytest.raises(ReferenceFileError, match="override_gain is a model for readnoise references"):
        Reference("gain", model, "override").check(exposure())


def test_a_product_in_place_of_a_reference(values, tmp_path, caplog):
    model = described(datamodels.ImageModel(values), None)
    path = model.save(tmp_path / "plain.fits")
    Reference("gain", path, "override").check(exposure())
    assert "product" not in caplog.text
    model.meta.cal_step.ramp_fit = "COMPLETE"
    Reference("gain", model.save(tmp_path / "rate.fits"), "override").check(exposure())
    assert "gain reference rate.fits is the product of a calibration" in caplog.text


def test_an_exposure_in_place_of_a_dark(values, tmp_path):
    model = described(datamodels.RampModel(data=np.stack([values] * 6).reshape(2, 3, NY, NX)), None)
    path = model.save(tmp_path / "uncal.fits")
    with pytest.raises(ReferenceFileError, match="only darks of MIRI"):
        Reference("dark", path, "override").check(exposure())


def test_what_scripts_for_jwst_name_for_another_detector_is_used_with_a_warning(values, caplog, monkeypatch):
    other = described(datamodels.GainModel(data=values), "FILLER", detector="NRCBLONG")
    with pytest.raises(ReferenceFileError, match="NRCBLONG"):
        Reference("gain", other, "override").check(exposure())
    monkeypatch.setattr("webbcal.core.surface.process.stands_in", True)
    Reference("gain", other, "override").check(exposure())
    assert "NRCBLONG" in caplog.text and "FILLER" in caplog.text
    with pytest.raises(ReferenceFileError, match="NRCBLONG"):
        Reference("gain", other).check(exposure())
