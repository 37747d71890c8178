"""Pools and associations of exposures that are there: from headers, without a pool."""

import gzip

import pytest
from pool_cases import members

from webbcal.associations import generate, pool_of_exposures
from webbcal.associations.generator.exposures import exposures_in
from webbcal.associations.mkpool import mkpool
from webbcal.cli.main import main
from webbcal.core.errors import InputError, MissingInputError, ParameterError
from webbcal.io.cards import Card, header_bytes

KEYWORDS = {
    "PROGRAM": "01234",
    "OBSERVTN": "001",
    "VISITGRP": "02",
    "ACT_ID": "01",
    "EXP_TYPE": "MIR_IMAGE",
    "INSTRUME": "MIRI",
    "DETECTOR": "MIRIMAGE",
    "FILTER": "F770W",
    "SUBARRAY": "FULL",
    "TARGNAME": "M 31",
    "TSOVISIT": False,
    "BKGDTARG": False,
    "IS_PSF": False,
    "PATT_NUM": 1,
}


def write(folder, name, **keywords):
    """Write a file that has a primary header."""
    cards = {"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, **KEYWORDS, **keywords}
    text = header_bytes([Card(key, value, "") for key, value in cards.items() if value is not None])
    path = folder / name
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return path


def name(number, suffix="rate", observation=1):
    return f"jw01234{observation:03d}001_02101_{number:05d}_mirimage_{suffix}.fits"


def test_a_folder(tmp_path):
    for number in (1, 2):
        write(tmp_path, name(number), PATT_NUM=number)
        write(tmp_path, name(number, "uncal"), PATT_NUM=number)
    write(tmp_path, name(3) + ".gz", TARGNAME="M 33")
    write(tmp_path, "jw01234-o001_t001_miri_f770w_i2d.fits")
    (tmp_path / "notes.txt").write_text("")
    pool = pool_of_exposures(exposures_in([tmp_path]))
    assert [row["filename"] for row in pool.rows] == [name(n, "uncal") for n in (1, 2, 3)]
    assert [row["targetid"] for row in pool.rows] == ["1", "1", "2"]
    made = generate(pool)
    assert [a["asn_type"] for a in made] == ["image2"] * 3 + ["image3"] * 2
    assert {a["products"][0]["name"]: members(a) for a in made[3:]} == {
        "jw01234-o001_t001_miri_f770w": {"science": ["00001_cal.fits", "00002_cal.fits"]},
        "jw01234-o001_t002_miri_f770w": {"science": ["00003_cal.fits"]},
    }


def test_the_folder_that_is_written_to_is_made(tmp_path, capsys):
    write(tmp_path, name(1))
    folder = tmp_path / "made" / "here"
    assert main(["asn", "generate", str(tmp_path), "-p", str(folder)]) == 0
    assert sorted(folder.iterdir())
    assert main(["asn", "generate", str(tmp_path), "-p", str(tmp_path / name(1))]) == 1
    assert "cannot be made" in capsys.readouterr().err


def test_backgrounds_and_reference_stars_are_linked(tmp_path):
    files = [
        write(tmp_path, name(1)),
        write(tmp_path, name(1, observation=2), OBSERVTN="002", TARGNAME="SKY", BKGDTARG=True),
    ]
    made = {a["asn_rule"]: a for a in generate(pool_of_exposures(files)) if a["asn_type"] == "image2"}
    assert [
        (m["expname"], m["exptype"]) for m in made["candidate_Asn_Lv2Image"]["products"][0]["members"]
    ] == [(name(1), "science"), (name(1, observation=2), "background")]
    coron = {"EXP_TYPE": "MIR_4QPM", "FILTER": "F1065C", "SUBARRAY": "MASK1065"}
    files = [
        write(tmp_path, name(1), **coron),
        write(tmp_path, name(1, observation=2), OBSERVTN="002", TARGNAME="STAR", IS_PSF=True, **coron),
    ]
    (third,) = (a for a in generate(pool_of_exposures(files)) if a["asn_type"] == "coron3")
    assert [m["exptype"] for m in third["products"][0]["members"]] == ["science", "psf"]
    assert third["products"][0]["name"] == "jw01234-c2000_t001_miri_f1065c-mask1065"


def test_direct_images_follow_their_grism(tmp_path):
    nircam = {"INSTRUME": "NIRCAM", "DETECTOR": "NRCALONG", "FILTER": "F444W"}
    grism = {"EXP_TYPE": "NRC_WFSS", "PUPIL": "GRISMR", "ACT_ID": "02"}
    image = {"EXP_TYPE": "NRC_IMAGE", "PUPIL": "CLEAR"}
    files = [
        write(tmp_path, "a_rate.fits", **{**nircam, **image, "FILTER": "F356W"}),
        write(tmp_path, "b_rate.fits", **nircam, **grism),
        write(tmp_path, "c_rate.fits", **nircam, **image, **{"ACT_ID": "0A"}),
    ]
    made = {a["asn_rule"]: a for a in generate(pool_of_exposures(files))}
    product = made["candidate_Asn_Lv2WFSSNRC"]["products"][0]
    root = "jw01234-o001_t001_nircam_clear-f444w"
    assert [(m["expname"], m["exptype"]) for m in product["members"]] == [
        ("b_rate.fits", "science"),
        (f"{root}_i2d.fits", "direct_image"),
        (f"{root}_cat.ecsv", "sourcecat"),
        (f"{root}_segm.fits", "segmap"),
    ]


def test_time_series_in_headers(tmp_path):
    soss = {"EXP_TYPE": "NIS_SOSS", "INSTRUME": "NIRISS", "DETECTOR": "NIS", "FILTER": "CLEAR"}
    files = [
        write(
            tmp_path,
            "a_uncal.fits",
            TSOVISIT=True,
            PUPIL="GR700XD",
            NINTS=9,
            **{**soss, "SUBARRAY": "SUBSTRIP256"},
        )
    ]
    made = {a["asn_type"]: members(a) for a in generate(pool_of_exposures(files))}
    assert made == {"tso-spec2": {"science": ["a_rateints.fits"]}, "tso3": {"science": ["a_calints.fits"]}}


def test_mkpool(tmp_path):
    path = write(tmp_path, name(1), IS_IMPRT=True)
    (row,) = mkpool([path], asn_candidate="[('c1000', 'background')]", dms_note="look").rows
    assert row["asn_candidate"] == "[('o001', 'observation'), ('c1000', 'background')]"
    assert (row["dms_note"], row["is_imprt"], row["pntgtype"]) == ("look", "t", "science")
    assert mkpool([path], is_imprt="f").rows[0]["is_imprt"] == "f"
    with pytest.raises(ParameterError, match="are no candidates"):
        mkpool([path], asn_candidate="c1000")


def test_refused(tmp_path):
    with pytest.raises(MissingInputError, match="no such file"):
        exposures_in([tmp_path / "none"])
    with pytest.raises(InputError, match="has no exposures"):
        exposures_in([tmp_path])
    with pytest.raises(InputError, match="PROGRAM"):
        pool_of_exposures([write(tmp_path, name(1), PROGRAM=None)])
    (tmp_path / "b_rate.fits").write_bytes(b"SIMPLE  = cut off")
    (tmp_path / "c_rate.fits").write_bytes(b"nothing")
    (tmp_path / "d_rate.fits.gz").write_bytes(b"\x1f\x8bnothing")
    for file in "b_rate.fits", "c_rate.fits", "d_rate.fits.gz":
        with pytest.raises(InputError, match=file):
            pool_of_exposures([tmp_path / file])
