"""``webbcal asn generate`` and ``make-pool``: what they write and say."""

import json

import pytest

from webbcal.associations import load_association, read_pool
from webbcal.associations.main import Main
from webbcal.cli.main import main

HEAD = "FILENAME|PROGRAM|OBS_NUM|EXP_TYPE|INSTRUME|DETECTOR|FILTER|SUBARRAY|TARGETID|PNTGTYPE|ASN_CANDIDATE"
LINE = "jw00099{0:03d}001_02101_0000{1}_nrca1_uncal.fits|99|{0}|{2}|NIRCAM|NRCA1|F200W|FULL|1|SCIENCE|{3}"


@pytest.fixture
def pool(tmp_path):
    """A pool of two observations: an image and a dark, an image."""
    lines = [
        LINE.format(1, 1, "NRC_IMAGE", "[('o001', 'observation'), ('c1000', 'background')]"),
        LINE.format(1, 2, "NRC_DARK", "[('o001', 'observation')]"),
        LINE.format(2, 1, "NRC_IMAGE", "[('o002', 'observation')]"),
    ]
    path = tmp_path / "jw00099_pool.csv"
    path.write_text("\n".join([HEAD, *lines]))
    return path


def files(folder):
    return sorted(path.name for path in folder.glob("*.json"))


def test_generate(pool, tmp_path, capsys):
    tmp_path = tmp_path / "new" / "folder"
    assert main(["asn", "generate", str(pool), "-p", str(tmp_path), "--save-orphans"]) == 0
    assert files(tmp_path) == [
        "jw00099-a3001_image3_00001_asn.json",
        "jw00099-o001_image2_00001_asn.json",
        "jw00099-o001_image3_00001_asn.json",
        "jw00099-o002_image2_00001_asn.json",
        "jw00099-o002_image3_00001_asn.json",
    ]
    said = capsys.readouterr().out
    assert "candidate_Asn_Lv3Image  jw00099-o001_t001_nircam_f200w (1 members)" in said
    assert "5 associations of 3 exposures; 1 are in none" in said
    (orphan,) = read_pool(tmp_path / "orphaned.csv").rows
    assert orphan["exp_type"] == "nrc_dark"
    assert load_association(tmp_path / "jw00099-o001_image3_00001_asn.json").asn_pool == "jw00099_pool.csv"


def test_options(pool, tmp_path, capsys):
    assert main(["asn", "generate", str(pool), "--dry-run", "--merge", "-v", "-i", "o001", "o002"]) == 0
    said = capsys.readouterr().out
    assert "4 associations of 3 exposures; 1 are in none; nothing was written" in said
    assert "    science             jw00099001001_02101_00001_nrca1_rate.fits\n" in said
    assert not files(tmp_path)
    made = Main.cli([str(pool), "-i", "o002", "--version-id", "-p", str(tmp_path)])
    assert all(name.startswith("jw00099-o002_2") for name in files(tmp_path)) and len(made.associations) == 2
    made = Main(f"{pool} --DMS -i o001 --dry-run")
    made.generate()
    assert {association.asn_id for association in made.associations} == {"o001"}


def test_wrong_words(pool, capsys):
    assert main(["asn", "generate", str(pool), "-i", "o009"]) == 2
    assert "no candidate 'o009'" in capsys.readouterr().err
    assert main(["asn", "generate", str(pool), "--ignore-default"]) == 2
    assert "-r FILE.toml" in capsys.readouterr().err
    assert main(["asn", "generate", "none.csv"]) == 1
    assert "none.csv: there is no such pool" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["asn", "generate", str(pool), "--discover", "--all-candidates"])
    assert main(["asn", "gather"]) == 2


def test_make_pool_and_generate_from_files(tmp_path, capsys):
    from webbcal.io.cards import Card, header_bytes

    words = {
        "SIMPLE": True,
        "BITPIX": 8,
        "NAXIS": 0,
        "PROGRAM": "00099",
        "OBSERVTN": "001",
        "EXP_TYPE": "NRC_IMAGE",
        "INSTRUME": "NIRCAM",
        "DETECTOR": "NRCA1",
        "FILTER": "F200W",
        "SUBARRAY": "FULL",
        "TARGPROP": "SKY",
    }
    for name in "Ab_rate.fits", "c_rate.fits":
        (tmp_path / name).write_bytes(header_bytes([Card(key, value, "") for key, value in words.items()]))
    assert main(["asn", "make-pool", str(tmp_path / "my_pool.csv"), str(tmp_path)]) == 0
    assert "my_pool.csv: 2 exposures" in capsys.readouterr().out
    assert len(read_pool(tmp_path / "my_pool.csv")) == 2
    assert main(["asn", "generate", str(tmp_path), "-p", str(tmp_path)]) == 0
    third = json.loads((tmp_path / "jw00099-o001_image3_00001_asn.json").read_text())
    assert [m["expname"] for m in third["products"][0]["members"]] == ["Ab_cal.fits", "c_cal.fits"]
