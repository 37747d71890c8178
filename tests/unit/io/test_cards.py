"""Headers are compared with astropy, which writes and reads them by its own code."""

import io
import math

import numpy as np
import pytest
from astropy.io import fits

from webbcal.core.errors import InputError
from webbcal.io.cards import BLOCK, Card, fits_on_cards, header_bytes, read_header
from webbcal.io.file_handle import FileHandle
from webbcal.io.fits_reader import read_hdus

VALUES = [
    *(True, False, 0, -5, 2**40, 1.5, -1e-5, 1e22, 53.16, 1.743188333333333e-05, -1.2345678901234567e-100),
    *("", "short", "it's 'quoted'", "x" * 68, "a long text, " * 20, "'" * 100, "ends with & sign", 3 - 4.5j),
    None,
]


def same(ours, theirs):
    if isinstance(theirs, fits.card.Undefined):
        return ours is None
    return ours == theirs and type(ours) is type(theirs)


@pytest.mark.parametrize("value", VALUES, ids=lambda v: repr(v)[:20])
def test_astropy_reads_our_cards(value):
    content = header_bytes([Card("SIMPLE", True), Card("KEY", value, "a comment")])
    assert len(content) % BLOCK == 0
    header = fits.Header.fromstring(content)
    expected = value.rstrip() if isinstance(value, str) else value
    assert header["KEY"] == expected or (value is None and isinstance(header["KEY"], fits.card.Undefined))
    assert same(read_header(io.BytesIO(content))["KEY"], expected)


@pytest.mark.parametrize("value", [v for v in VALUES if v is not None], ids=lambda v: repr(v)[:20])
def test_we_read_the_cards_of_astropy(value):
    content = fits.Header([("KEY", value, "a comment"), ("LAST", 1)]).tostring().encode()
    read = read_header(io.BytesIO(content))
    theirs = fits.Header.fromstring(content)["KEY"]
    assert same(read["KEY"], theirs.rstrip() if isinstance(theirs, str) else theirs)
    assert read["LAST"] == 1


def test_comments_history_and_long_keywords():
    cards = [Card("COMMENT", "first"), Card("HISTORY", "y" * 100), Card("a long keyword", 3)]
    cards.append(Card("KEY", 1, "z" * 99))
    content = header_bytes(cards)
    header = fits.Header.fromstring(content)
    assert header["COMMENT"][0] == "first" and "".join(header["HISTORY"]) == "y" * 100
    assert header["a long keyword"] == 3
    ours = read_header(io.BytesIO(content))
    assert ours["a long keyword"] == 3 and ours["COMMENT"] == "first"
    assert next(card.comment for card in ours.cards if card.keyword == "KEY").startswith("zzz")


def test_what_fits_cannot_hold():
    cards = [Card("A", math.nan), Card("B", math.inf), Card("C", "naïve\n")]
    header = fits.Header.fromstring(header_bytes(cards))
    assert all(header[name] is None or isinstance(header[name], fits.card.Undefined) for name in "ABC")
    back = read_header(io.BytesIO(header_bytes(cards)))
    assert all(card.is_elsewhere for card in back.cards) and not fits_on_cards(cards[0])


def test_a_header_without_end_is_refused():
    with pytest.raises(InputError, match="no END"):
        read_header(io.BytesIO(b"SIMPLE  =                    T".ljust(BLOCK)))


def test_tables_of_astropy(tmp_path):
    columns = [
        fits.Column("i", "J", array=[1, -2, 3]),
        fits.Column("u", "I", bzero=32768, array=np.array([0, 40000, 65535], np.uint16)),
        fits.Column("flag", "L", array=[True, False, True]),
        fits.Column("text", "7A", array=["abc", "", "it's"]),
        fits.Column("vector", "3E", array=np.arange(9.0).reshape(3, 3)),
        fits.Column("matrix", "6D", dim="(3,2)", array=np.arange(18.0).reshape(3, 2, 3)),
        fits.Column("one", "1D", array=[1.0, 2.0, 3.0]),
    ]
    ragged = [fits.Column("v", "PE()", array=np.array([np.ones(2), np.ones(5)], dtype=object))]
    hdus = [fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns), fits.BinTableHDU.from_columns(ragged)]
    fits.HDUList(hdus).writeto(tmp_path / "t.fits")
    _, first, second = read_hdus(FileHandle(tmp_path / "t.fits"))
    table = first.data.read()
    with fits.open(tmp_path / "t.fits") as theirs:
        for name in ("i", "u", "flag", "text", "vector", "matrix", "one"):
            np.testing.assert_array_equal(table[name], theirs[1].data[name])
    assert table.dtype["u"] == np.uint16 and table["text"][2] == "it's"
    assert [len(cell) for cell in second.data.read()["v"]] == [2, 5]
