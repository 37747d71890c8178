"""``webbcal info`` describes files of all kinds, and says what is wrong with damaged ones."""

import json

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from webbcal import datamodels
from webbcal.cli.main import main


@pytest.fixture
def info(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def run(*words):
        code = main(["info", *words])
        out = capsys.readouterr()
        return code, out.out, out.err

    return run


def test_a_reference(info):
    model = datamodels.GainModel(np.ones((3, 4), "f4"))
    model.meta.reftype, model.meta.pedigree, model.meta.useafter = "GAIN", "GROUND", "2020-01-01T00:00:00"
    model.meta.instrument.name = "MIRI"
    model.save("gain.fits")
    code, out, _ = info("gain.fits")
    assert code == 0 and all(
        word in out for word in ("GainModel", "GAIN", "GROUND", "MIRI", "3 × 4", "float32")
    )


def test_an_association(info, tmp_path):
    members = [
        {"expname": "a_cal.fits", "exptype": "science"},
        {"expname": "s.fits", "exptype": "background"},
    ]
    asn = {"asn_type": "image3", "asn_rule": "Asn_Lv3Image", "products": [{"name": "p", "members": members}]}
    (tmp_path / "x_asn.json").write_text(json.dumps(asn | {"asn_id": "o1", "asn_pool": "none"}))
    _, out, _ = info("x_asn.json")
    assert "Asn_Lv3Image" in out and "product p" in out and "background  s.fits" in out


@pytest.mark.parametrize("name", ["p.asdf", "p.cfg"])
def test_parameters(info, tmp_path, name):
    asdf = "#ASDF 1.0.0\n%YAML 1.1\n---\nclass: a.b.JumpStep\nname: jump\nparameters: {time_jumps: 3}\n...\n"
    (tmp_path / "p.asdf").write_text(asdf)
    (tmp_path / "p.cfg").write_text('class = "a.b.JumpStep"\nname = "jump"\ntime_jumps = 3\n')
    _, out, _ = info(name)
    assert "JumpStep" in out and "time_jumps = 3" in out


def test_a_catalogue_and_a_map(info):
    table = Table({"label": [1, 2], "flux": [1.0, 2.0]})
    table["flux"].unit = "Jy"
    table.write("x_cat.ecsv", format="ascii.ecsv")
    datamodels.SegmentationMapModel(np.ones((5, 6), "u4")).save("x_segm.fits")
    code, out, _ = info("x_cat.ecsv", "x_segm.fits")
    assert code == 0 and "2 rows" in out and "Jy" in out and "SegmentationMapModel" in out and "5 × 6" in out


def test_fits_of_others(info):
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.zeros(5), name="SCI")]).writeto("a.fits")
    fits.HDUList([fits.PrimaryHDU(np.zeros((2, 3)))]).writeto("b.fits")
    code, out, _ = info("a.fits", "b.fits")
    assert code == 0 and "SCI,1" in out and "PRIMARY" in out and "2 × 3" in out


def test_slits_and_the_tree(info):
    model = datamodels.MultiSlitModel()
    model.slits.append(model.slits.item(data=np.ones((2, 2), "f4"), name="S7"))
    model.save("s.fits")
    _, out, _ = info("s.fits", "--tree")
    assert "1 items" in out and "S7" in out


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.fits", b"SIMPLE  = T", "END"),
        ("b.json", b'{"products": 5}', "products"),
        ("c.asdf", b"#ASDF 1.0.0\n%YAML 1.1\n---\na: [\n", "ASDF"),
        ("d.ecsv", b"# %ECSV 1.0\n# ---\n# nothing\n", "ECSV"),
        ("e.txt", b"hello", "none of the files"),
        ("f.cfg", b"[[[\n", "section"),
        ("g.fits.gz", b"\x1f\x8bnothing", "decompressed"),
        ("h.fits", b"", "empty"),
    ],
)
def test_damaged_files_get_a_sentence(info, tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    code, _, err = info(name)
    assert code == 1 and name in err and words in err and "Traceback" not in err


def test_a_record_that_was_cut(info):
    model = datamodels.ImageModel((2, 2))
    model.meta.run_record = [{"steps": [{"step": "jump", "status": "SKIPPED"}, "x"]}, 5, {"software": "s"}]
    model.save("a.fits")
    code, out, _ = info("a.fits")
    assert code == 0 and "skipped: no reason is recorded" in out and "s unknown" in out
