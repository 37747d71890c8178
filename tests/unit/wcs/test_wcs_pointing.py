"""Attitude, aberration, pointing keywords, and the command that sets them."""

import numpy as np
import pytest
from wcs_cases import Case, image

from webbcal import datamodels
from webbcal.cli import main as command
from webbcal.core.errors import InputError
from webbcal.wcs.aberration import aberration
from webbcal.wcs.attitude import Attitude
from webbcal.wcs.keywords import ApertureKeywords, attitude_of, pointing_values, set_pointing

SUB = Case("NRCB1", "SUB64P", "F200W")


def test_the_reference_position_and_roll_come_back():
    attitude = Attitude.from_reference(-120.0, -527.0, 201.5, -43.0, 77.0)
    np.testing.assert_allclose(attitude.sky(-120.0, -527.0), (201.5, -43.0), atol=1e-12)
    assert attitude.roll(-120.0, -527.0) == pytest.approx(77.0, abs=1e-10)
    np.testing.assert_allclose(attitude.matrix @ attitude.matrix.T, np.eye(3), atol=1e-15)


def test_v3_points_along_its_position_angle():
    """A small step along V3 moves on the sky in the direction of the roll."""
    attitude = Attitude.from_v1(80.0, 30.0, 25.0)
    (ra0, dec0), (ra, dec) = attitude.sky(0.0, 0.0), attitude.sky(0.0, 1.0)
    east, north = (ra - ra0) * np.cos(np.radians(dec0)) * 3600, (dec - dec0) * 3600
    np.testing.assert_allclose((east, north), (np.sin(np.radians(25)), np.cos(np.radians(25))), atol=1e-5)


def test_aberration_along_and_across_the_motion():
    """Known cases: a star ahead keeps its place; one abeam moves ahead by v/c."""
    beta = 30.0 / 299792.458
    scale, ra, dec = aberration((30.0, 0.0, 0.0), 0.0, 0.0)
    assert (ra, dec) == pytest.approx((0.0, 0.0), abs=1e-12)
    assert scale == pytest.approx(np.sqrt((1 + beta) / (1 - beta)), rel=1e-14)
    scale, ra, dec = aberration((30.0, 0.0, 0.0), 90.0, 0.0)
    assert ra == pytest.approx(90.0 - np.degrees(np.arcsin(beta)), abs=1e-10)
    assert scale == pytest.approx(1 / np.sqrt(1 - beta**2), rel=1e-14)
    assert aberration((0.0, 0.0, 0.0), 12.0, 34.0) == (1.0, 12.0, 34.0)


def test_keywords_agree_with_the_simulators():
    """Header values that the simulator took from the SIAF come out again from the V1 pointing."""
    model = image(SUB)
    before = {
        k: model.meta.wcsinfo.instance[k] for k in ("ra_ref", "dec_ref", "roll_ref", "crval1", "crval2")
    }
    pa, region = model.meta.pointing.pa_aperture, model.meta.wcsinfo.s_region
    values = set_pointing(model, attitude_of(model, "v1"))
    for name, value in before.items():
        assert model.meta.wcsinfo.instance[name] == pytest.approx(value, abs=1e-9), name
    assert values["aperture.position_angle"] == pytest.approx(pa, abs=1e-9)
    assert model.meta.velocity_aberration.scale_factor == 1.0  # the simulated observatory stands still
    # The linear footprint of 64 pixels is the true one to a hundredth of a pixel; corners in another order.
    ours, theirs = (np.sort(np.array(r.split()[2:], float)) for r in (model.meta.wcsinfo.s_region, region))
    np.testing.assert_allclose(ours, theirs, atol=0.03 / 3600)


def test_pc_matrix_turns_pixels_to_north():
    """Along the position angle of y, one pixel up moves by (sin, cos) of it, east and north."""
    model = image(SUB)
    values = pointing_values(model, attitude_of(model, "aperture"))
    angle = np.radians(values["aperture.position_angle"])
    np.testing.assert_allclose(
        (values["wcsinfo.pc1_2"], values["wcsinfo.pc2_2"]), (np.sin(angle), np.cos(angle)), atol=1e-6
    )


def test_missing_keywords_are_named():
    model = image(SUB)
    model.meta.wcsinfo.v3yangle = None
    model.meta.wcsinfo.v2_ref = None
    with pytest.raises(InputError, match="V2_REF, V3I_YANG"):
        pointing_values(model, Attitude.from_v1(1.0, 2.0, 3.0))
    model.meta.pointing.pa_v3 = None
    with pytest.raises(InputError, match=r"PA_V3.*--ra --dec --roll"):
        attitude_of(model, "v1")
    model = image(SUB)
    model.meta.wcsinfo.vparity = 0
    with pytest.raises(InputError, match="VPARITY"):
        ApertureKeywords.of_model(model)


def test_not_after_assign_wcs():
    model = image(SUB)
    model.meta.cal_step.assign_wcs = "COMPLETE"
    with pytest.raises(InputError, match="rate file"):
        set_pointing(model, Attitude.from_v1(1.0, 2.0, 3.0))


@pytest.fixture
def rate(tmp_path):
    path = tmp_path / "a_rate.fits"
    image(SUB).save(path)
    return path


def test_command_with_an_attitude(rate, capsys):
    assert command.main(["pointing", str(rate), "--ra=10", "--dec=-20", "--roll=30", "--of=aperture"]) == 0
    assert "wcsinfo.ra_ref" in capsys.readouterr().out
    with datamodels.open(rate) as model:
        info = model.meta.wcsinfo
        assert (info.ra_ref, info.dec_ref, info.roll_ref) == pytest.approx((10, -20, 30), abs=1e-9)
        assert info.crval1 == info.ra_ref
        ra_v1, dec_v1 = model.meta.pointing.ra_v1, model.meta.pointing.dec_v1
    assert command.main(["pointing", str(rate)]) == 0  # from the V1 keywords: nothing changes
    with datamodels.open(rate) as model:
        assert model.meta.wcsinfo.roll_ref == pytest.approx(30, abs=1e-9)
        assert (model.meta.pointing.ra_v1, model.meta.pointing.dec_v1) == pytest.approx((ra_v1, dec_v1))


def test_command_dry_and_into_another_folder(rate, tmp_path):
    before = rate.read_bytes()
    words = ["pointing", str(rate), "--ra=1", "--dec=2", "--roll=3"]
    assert command.main([*words, "--dry-run"]) == 0
    assert command.main([*words, f"--output_dir={tmp_path / 'new'}"]) == 0
    assert rate.read_bytes() == before
    with datamodels.open(tmp_path / "new" / "a_rate.fits") as model:
        assert model.meta.pointing.pa_v3 == pytest.approx(3.0, abs=1e-9)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--ra=1"], "--dec, --roll"),
        (["--ra=1", "--dec=99", "--roll=0"], "no such attitude"),
        (["--ra=1", "--dec=x", "--roll=0"], "numbers"),
        (["--of=guider"], "v1 or aperture"),
        (["--rol=3"], "did you mean 'roll'"),
    ],
)
def test_command_refuses(rate, capsys, words, said):
    before = rate.read_bytes()
    assert command.main(["pointing", str(rate), *words]) == 2
    assert said in capsys.readouterr().err
    assert rate.read_bytes() == before
