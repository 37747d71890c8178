"""Tables are compared with what astropy reads of them."""

import numpy as np
import pytest
from astropy.io import fits

from webbcal.io.file_handle import FileHandle
from webbcal.io.fits_reader import read_hdus
from webbcal.io.fits_writer import FitsWriter
from webbcal.io.hdus import PlannedHdu
from webbcal.io.records import is_plain, plain_table, same_rows

TYPES = ["?", "u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", "c8", "c16", "S5", "U5"]


def extremes(dtype, shape):
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        info = np.iinfo(kind)
        values = np.array([info.min, info.max, 1, 0, info.max // 3], kind)
    elif kind.kind in "SU":
        values = np.array(["a", "", "it's", "12345", " b"]).astype(kind)
    else:
        values = np.array([0, 1, -2.5, 3e30, 1]).astype(kind)
    return np.resize(values, shape)


def written(path, table):
    hdu = PlannedHdu("T", 1, table, table.dtype, table.shape)
    FitsWriter(path, []).finish([PlannedHdu("PRIMARY", 1), hdu, PlannedHdu("LAST", 1)])
    found = read_hdus(FileHandle(path))[1].data
    whole = found.read()
    assert same_rows(found.read(slice(1, 3)), whole[1:3])
    return whole


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("cell", [(), (3,), (2, 3)], ids=str)
@pytest.mark.parametrize("order", ["<", ">"])
def test_columns_of_every_type(tmp_path, dtype, cell, order):
    kind = np.dtype(dtype).newbyteorder(order)
    table = np.zeros(4, [("first", "i2"), ("x", kind, cell), ("last", "f8")])
    table["first"], table["x"], table["last"] = 7, extremes(kind, (4, *cell)), np.arange(4) / 3
    ours = written(tmp_path / "t.fits", table)
    expected = np.char.decode(table["x"]) if kind.kind == "S" else table["x"]
    with fits.open(tmp_path / "t.fits") as hdus:
        hdus.verify("exception")
        theirs = hdus["T"].data
        for name in ("first", "last"):
            np.testing.assert_array_equal(theirs[name], table[name])
            np.testing.assert_array_equal(ours[name], table[name])
        if kind.kind == "U" or (kind.kind == "S" and cell):
            expected = np.char.rstrip(expected)
        np.testing.assert_array_equal(np.asarray(theirs["x"]).reshape(expected.shape), expected)
        np.testing.assert_array_equal(ours["x"], expected)
    assert ours["x"].dtype.isnative and (tmp_path / "t.fits").stat().st_size % 2880 == 0


@pytest.mark.parametrize("rows", [0, 1, 3000])
def test_tables_of_any_length_and_a_strided_one(tmp_path, rows):
    table = np.zeros(2 * rows, [("a", "u4"), ("b", "f8", (20,))])
    table["a"], table["b"] = np.arange(2 * rows), np.arange(2 * rows)[:, None]
    ours = written(tmp_path / "t.fits", table[::2])
    assert len(ours) == rows and ours["a"].tolist() == list(range(0, 2 * rows, 2))
    np.testing.assert_array_equal(ours["b"], table["b"][::2])


def test_a_plain_table_is_not_copied():
    table = np.zeros(3, [("a", "f8"), ("b", "i4", (2,))])
    assert np.shares_memory(plain_table(table), table) and plain_table(table).a.tolist() == [0, 0, 0]
    for other in ([("a", ">f8")], [("a", "S3")], np.dtype([("a", "i1"), ("b", "f8")], align=True)):
        assert not is_plain(np.dtype(other))
        table = np.zeros(3, other)
        assert not np.shares_memory(plain_table(table), table)
