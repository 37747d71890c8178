"""Pool files: read as operations write them, written so that they read back, refused with the line."""

import pytest
from pool_cases import exposure, pool

from webbcal.associations import pool_of, read_pool
from webbcal.core.errors import InputError, MissingInputError, OutputError

TEXT = """\
# a comment
FILENAME | PROGRAM|EXP_TYPE|ASN_CANDIDATE|TARGNAME

JW1_uncal.fits|99|MIR_IMAGE|"[('O001', 'OBSERVATION')]"|
  # another
jw2_uncal.fits|99|mir_image|[('o002', 'observation'), ('c1000', 'mosaic')]|Great Wall
"""


def test_read(tmp_path):
    (tmp_path / "p.csv").write_text(TEXT)
    read = read_pool(tmp_path / "p.csv")
    assert (read.name, len(read), read.columns[:2]) == ("p.csv", 2, ["filename", "program"])
    assert read.rows[0]["filename"] == "jw1_uncal.fits" and read.rows[0]["targname"] == "null"
    assert read.rows[0]["asn_candidate"] == "[('o001', 'observation')]"
    assert read.rows[1]["targname"] == "great wall"


@pytest.mark.parametrize("delimiter", ["|", ","])
def test_round_trip(tmp_path, delimiter):
    rows = pool(exposure(1), exposure(2, nints="5", asn_candidate="[('o001', 'observation'), ('c1', 'x')]"))
    rows.write(tmp_path / "p.csv", delimiter)
    again = read_pool(tmp_path / "p.csv", delimiter)
    assert [{**row, "nints": row["nints"]} for row in again.rows] == [
        {"nints": "null", **r} for r in rows.rows
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no line of column names"),
        ("FILENAME|PROGRAM|EXP_TYPE\na|b\n", "the line of 'a' has 2 columns, the first line 3"),
        ("FILENAME,PROGRAM\na,b\n", r"has one column, 'FILENAME,PROGRAM'; are columns separated with '\|'"),
        ("PROGRAM|EXP_TYPE\na|b\n", "no column 'filename'"),
        ("FILENAME|EXP_TYPE\na|b\n", "no column 'program'"),
        (b"\xff\xfe\x00", "cannot be read as a pool"),
    ],
)
def test_refused(tmp_path, text, words):
    path = tmp_path / "p.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=words) as caught:
        read_pool(path)
    assert "p.csv" in str(caught.value)


def test_names_of_files(tmp_path):
    with pytest.raises(MissingInputError, match=r"none\.csv: there is no such pool"):
        read_pool(tmp_path / "none.csv")
    with pytest.raises(OutputError, match="cannot be written"):
        pool(exposure(1)).write(tmp_path / "none" / "p.csv")


def test_values_become_text():
    (row,) = pool_of(
        [{"FILENAME": "A_uncal.fits", "Program": 7, "exp_type": "MIR_IMAGE"}], as_written=["filename"]
    ).rows
    assert row == {"filename": "A_uncal.fits", "program": "7", "exp_type": "mir_image"}
