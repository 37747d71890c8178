"""FITS files as they are found: what the standard allows is read right, or refused by name, and kept."""

import copy
import gzip
import io
import pickle
import warnings

import numpy as np
import pytest
from astropy.io import fits

from webbcal import datamodels
from webbcal.core.errors import InputError, OutputError

warnings.simplefilter("ignore", datamodels.ValidationWarning)


def write(path, *hdus, model="ImageModel", primary=None):
    first = fits.PrimaryHDU(primary)
    first.header["DATAMODL"] = model
    first.header["TELESCOP"] = "JWST"
    fits.HDUList([first, *hdus]).writeto(path)
    return path


def saved(path, look):
    """Open and save, after a look at everything or without."""
    out = path.with_name(f"out_{path.name.removesuffix('.gz')}")
    with datamodels.open(path) as model:
        if look:
            for _ in model.items():
                pass
        model.save(out)
    return out


LOOK = pytest.mark.parametrize("look", [False, True])

# ---------------------------------------------------------------- images


def stored(bits, values, **cards):
    hdu = fits.ImageHDU(np.array(values, bits), name="SCI")
    for keyword, value in cards.items():
        hdu.header[keyword] = value
    return hdu


@pytest.mark.parametrize("bits", ["u1", "i2", "i4", "i8"])
def test_scaled_and_blank_integers(bits, tmp_path):
    path = write(tmp_path / "a.fits", stored(bits, [[1, 2], [9, 4]], BSCALE=0.5, BZERO=10.0, BLANK=9))
    expected = np.array([[10.5, 11], [np.nan, 12]])
    with datamodels.open(path) as model:
        np.testing.assert_array_equal(model.source("data").read(slice(1, 2)), expected[1:])
        np.testing.assert_array_equal(model.data, expected)
        assert model.data.dtype == np.float32
    assert np.isnan(fits.getdata(saved(path, False), "SCI")[1, 0])


@LOOK
def test_scaled_images_without_a_place_keep_their_values(look, tmp_path):
    hdu = stored("i2", [[1, 2], [9, 4]], BSCALE=0.25, BLANK=9)
    hdu.name = "MINE"
    path = write(tmp_path / "a.fits", stored("f4", [[1.0]]), hdu)
    np.testing.assert_array_equal(fits.getdata(saved(path, look), "MINE"), [[0.25, 0.5], [np.nan, 1]])


CODECS = [("RICE_1", "i2", {}), ("GZIP_1", "f4", {"quantize_level": 0}), ("HCOMPRESS_1", "i4", {})]
CODECS += [("PLIO_1", "i2", {}), ("GZIP_2", "f8", {"quantize_level": 0}), ("RICE_1", "u2", {})]


@pytest.mark.parametrize(("codec", "kind", "options"), CODECS)
@LOOK
def test_compressed_images(codec, kind, options, look, tmp_path):
    values = np.arange(40 * 50).reshape(40, 50).astype(kind)
    hdus = [
        fits.CompImageHDU(values, name=name, compression_type=codec, **options) for name in ("SCI", "MINE")
    ]
    hdus[0].header["PHOTMJSR"] = 2.5
    path = write(tmp_path / "a.fits", *hdus)
    with datamodels.open(path) as model:
        np.testing.assert_array_equal(model.source("data").read(slice(3, 7), slice(2, 9)), values[3:7, 2:9])
        assert model.meta.photometry.conversion_megajanskys == 2.5 and model.data.dtype == np.float32
    out = saved(path, look)
    np.testing.assert_array_equal(fits.getdata(out, "SCI"), values)
    np.testing.assert_array_equal(fits.getdata(out, "MINE"), values)
    assert not [k for k in fits.getheader(out, "SCI") if k.startswith("Z")]


@pytest.mark.parametrize(
    ("codec", "keyword", "value"),
    [("RICE_1", "ZVAL2", -32), ("RICE_1", "ZVAL2", 8), ("RICE_1", "ZVAL1", 0), ("RICE_1", "ZVAL1", "x")],
)
def test_settings_that_would_let_a_decoder_leave_its_memory(codec, keyword, value, tmp_path):
    image = fits.CompImageHDU(np.arange(100, dtype="i2").reshape(10, 10), name="SCI", compression_type=codec)
    path = write(tmp_path / "a.fits", image)
    with fits.open(path, mode="update", disable_image_compression=True) as hdus:
        assert keyword in hdus[1].header
        hdus[1].header[keyword] = value
    with pytest.raises(
        InputError, match=r"a\.fits: SCI: the compressed image cannot be read .*(BLOCKSIZE|BYTEPIX)"
    ):
        str(datamodels.open(path).data)


def test_a_wavelet_tile_of_another_size(tmp_path):
    values = np.arange(40 * 50, dtype="i4").reshape(40, 50)
    image = fits.CompImageHDU(values, name="SCI", compression_type="HCOMPRESS_1", tile_shape=(16, 50))
    path = write(tmp_path / "a.fits", image)
    assert (datamodels.open(path).data == values).all()
    content = path.read_bytes()
    path.write_bytes(content.replace(b"\xdd\x99\0\0\0\x10\0\0\0\x32", b"\xdd\x99\0\0\x10\x10\0\0\0\x32", 1))
    assert path.read_bytes() != content
    with pytest.raises(InputError, match=r"a tile is of another size"):
        str(datamodels.open(path).data)


def test_a_damaged_compressed_image_is_named(tmp_path):
    hdu = fits.CompImageHDU(np.arange(400, dtype="i4").reshape(20, 20), name="SCI")
    content = bytearray(write(tmp_path / "a.fits", hdu).read_bytes())
    content[content.find(b"RICE_1") + 4 : content.find(b"RICE_1") + 6] = b"XX"
    (tmp_path / "a.fits").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.fits: SCI: the compressed image"):
        datamodels.open(tmp_path / "a.fits").data  # noqa: B018


@LOOK
@pytest.mark.parametrize("kind", ["i4", "f8", "u2"])
def test_a_primary_array_is_kept(kind, look, tmp_path):
    primary = np.arange(6).reshape(2, 3).astype(kind)
    out = saved(write(tmp_path / "a.fits", stored("f4", [[1.0, 2.0]]), primary=primary), look)
    np.testing.assert_array_equal(fits.getdata(out, 0), primary)
    np.testing.assert_array_equal(fits.getdata(out, "SCI"), [[1, 2]])


@LOOK
def test_hdus_of_one_name_and_in_any_order(look, tmp_path):
    extra = [fits.ImageHDU(np.full((2, 2), n, "f4"), name="SCI") for n in (2, 3)]
    table = fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[7])], name="SCI", ver=5)
    empty = fits.ImageHDU(name="NOTHING")
    path = write(tmp_path / "a.fits", fits.ImageHDU(np.ones((2, 2), "u4"), name="DQ"), *extra, table, empty)
    out = saved(path, look)
    with fits.open(out) as hdus:
        images = [hdu.data[0, 0] for hdu in hdus if hdu.name == "SCI" and hdu.ver == 1]
        assert images == [2, 3] and hdus["SCI", 5].data["a"][0] == 7 and "NOTHING" in hdus


@LOOK
def test_an_hdu_of_an_unknown_kind_is_kept(look, tmp_path):
    path = write(
        tmp_path / "a.fits", stored("f4", [[1.0]]), fits.ImageHDU(np.arange(7, dtype="u1"), name="ODD")
    )
    path.write_bytes(
        path.read_bytes().replace(
            b"XTENSION= 'IMAGE   '           / Image", b"XTENSION= 'DUMP    '           / Image"
        )
    )
    content = bytearray(path.read_bytes())
    first = content.find(b"DUMP    ")
    content[first : first + 8] = b"IMAGE   "  # SCI stays an image
    path.write_bytes(content)
    written = saved(path, False).read_bytes()
    assert b"XTENSION= 'DUMP    '" in written and bytes(range(7)) in written


def test_random_groups_are_refused_by_name(tmp_path):
    data = fits.GroupData(np.ones((3, 1, 1, 2), "f4"), bitpix=-32, parnames=["a"], pardata=[np.arange(3.0)])
    fits.HDUList([fits.GroupsHDU(data)]).writeto(tmp_path / "a.fits")
    with pytest.raises(InputError, match=r"a\.fits.*random groups"):
        datamodels.open(tmp_path / "a.fits")


@LOOK
def test_gzip_and_open_files(look, tmp_path):
    path = write(tmp_path / "a.fits", stored("i2", [[1, 2]], BSCALE=0.5), odd_table())
    zipped = tmp_path / "a.fits.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    with fits.open(saved(zipped, look)) as hdus:
        check_odd_table(hdus["ODD"])
    with datamodels.open(io.BytesIO(path.read_bytes())) as model:
        np.testing.assert_array_equal(model.data, [[0.5, 1]])
    with fits.open(path) as hdus, datamodels.open(hdus) as model:
        model.save(tmp_path / "b.fits")
    with fits.open(tmp_path / "b.fits") as hdus:
        check_odd_table(hdus["ODD"])


# ---------------------------------------------------------------- types


@pytest.mark.parametrize("kind", ["f8", "i2", "i4", "u1", "f4"])
def test_images_of_another_type_are_cast(kind, tmp_path):
    path = write(tmp_path / "a.fits", stored(kind, [[1, 2], [3, 4]]), model="GainModel")
    with datamodels.open(path) as model:
        assert model.source("data").dtype == model.source("data").read().dtype == np.float32
        assert model.data.dtype == np.float32 and model.data.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("kind", "values"), [("i4", [[-1]]), ("f4", [[0.5]]), ("f8", [[np.nan]]), ("i8", [[1 << 40]])]
)
def test_what_cannot_be_cast_is_named(kind, values, tmp_path):
    dq = fits.ImageHDU(np.array(values, kind), name="DQ")
    model = datamodels.open(write(tmp_path / "a.fits", stored("f4", [[1.0]]), dq))
    with pytest.raises(InputError, match=r"a\.fits: DQ: .*uint32"):
        model.dq  # noqa: B018
    with pytest.raises(InputError, match="DQ"):
        model.source("dq").read()
    with pytest.raises(InputError, match="dq"):
        datamodels.ImageModel((1, 1)).dq = np.array(values, kind)


def test_floats_that_overflow_are_an_error(tmp_path):
    with pytest.raises(InputError, match="SCI"):
        datamodels.open(write(tmp_path / "a.fits", stored("f8", [[1e300]]))).data  # noqa: B018


def test_a_table_in_the_place_of_an_image_is_named(tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[7])], name="SCI")
    with pytest.raises(InputError, match=r"a\.fits: SCI: a table"):
        datamodels.open(write(tmp_path / "a.fits", table))


# ---------------------------------------------------------------- tables


def odd_table():
    lists = np.array([np.arange(2.0), np.arange(3.0), np.zeros(0)], object)
    columns = [
        fits.Column("Speed", "E", unit="km/s", disp="F8.2", array=[1, 2, 3]),
        fits.Column("count", "I", null=-1, array=np.array([5, -1, 7])),
        fits.Column("bits", "11X", array=np.arange(33).reshape(3, 11) % 2 == 0),
        fits.Column("lists", "QD()", array=lists),
        fits.Column("flag", "2L", array=np.array([[True, False]] * 3)),
        fits.Column("z", "M", array=np.array([1j, 2, 3])),
        fits.Column("cube", "4J", dim="(2,2)", array=np.arange(12).reshape(3, 2, 2)),
        fits.Column("names", "6A", dim="(3,2)", array=np.array([["a", "bb"]] * 3)),
        fits.Column("u", "J", bzero=1 << 31, array=np.array([0, 5, 4_000_000_000], "u4")),
        fits.Column("scaled", "I", array=np.array([0, 4, 9], "i2"), null=9),
    ]
    hdu = fits.BinTableHDU.from_columns(columns, name="ODD")
    hdu.header["TSCAL10"], hdu.header["TZERO10"], hdu.header["TUCD1"] = 0.5, 1.0, "phys.veloc"
    return hdu


def check_odd_table(hdu):
    header, data = hdu.header, hdu.data
    cards = {"TUNIT1": "km/s", "TDISP1": "F8.2", "TNULL2": -1, "TFORM3": "11X", "TUCD1": "phys.veloc"}
    assert {key: header[key] for key in cards} == cards and header["TFORM4"].startswith("QD")
    assert [len(cell) for cell in data["lists"]] == [2, 3, 0] and data["scaled"][1] == 3
    assert data["bits"][1].tolist() == [n % 2 == 0 for n in range(11, 22)]
    assert data["u"][2] == 4_000_000_000 and data["cube"][2, 1, 1] == 11 and data["names"][1, 1] == "bb"
    assert data["flag"][2].tolist() == [True, False] and data["z"][0] == 1j


@LOOK
def test_tables_of_all_kinds_are_kept(look, tmp_path):
    path = write(tmp_path / "a.fits", stored("f4", [[1.0]]), odd_table())
    with fits.open(saved(path, look)) as hdus:
        check_odd_table(hdus["ODD"])


def test_tables_are_read_as_astropy_does(tmp_path):
    path = write(tmp_path / "a.fits", stored("f4", [[1.0]]), odd_table())
    table = datamodels.open(path).extra_fits.ODD.data
    theirs = fits.getdata(path, "ODD")
    for name in table.dtype.names:
        ours = table[name.upper()]
        if name == "lists":
            assert [list(cell) for cell in ours] == [list(cell) for cell in theirs[name]]
        elif name == "scaled":
            np.testing.assert_array_equal(ours, [1, 3, np.nan])
        else:
            np.testing.assert_array_equal(ours, theirs[name])
    assert table.speed.tolist() == table.SPEED.tolist() == [1, 2, 3]
    assert [c.unit for c in table.columns][:2] == ["km/s", None] and table.columns["count"].null == -1
    assert table.names == theirs.names and table.field("COUNT")[0] == table.field(1)[0] == 5
    with pytest.raises(AttributeError, match="nothing"):
        table.nothing  # noqa: B018


def test_a_changed_table_keeps_what_is_said_of_its_columns(tmp_path):
    path = write(tmp_path / "a.fits", stored("f4", [[1.0]]), odd_table())
    with datamodels.open(path) as model:
        table = model.extra_fits.ODD.data
        table["SPEED"][0] = 9
        table.columns["speed"].unit = "m/s"
        model.save(tmp_path / "b.fits")
    with fits.open(tmp_path / "b.fits") as hdus:
        header, data = hdus["ODD"].header, hdus["ODD"].data
        assert header["TUNIT1"] == "m/s" and header["TNULL2"] == -1 and data["Speed"][0] == 9
        assert [len(cell) for cell in data["lists"]] == [2, 3, 0] and header["TFORM4"].startswith("QD")


def test_copies_and_parts_of_tables_keep_units(tmp_path):
    table = datamodels.open(
        write(tmp_path / "a.fits", stored("f4", [[1.0]]), odd_table())
    ).extra_fits.ODD.data
    for other in (copy.deepcopy(table), table[1:], table.copy(), pickle.loads(pickle.dumps(table))):
        assert other.columns["Speed"].unit == "km/s"


def test_units_of_declared_tables(tmp_path):
    """In a spectrum, units that the file gives and that the table declares."""
    names = [fits.Column(n, "D", array=[1.0]) for n in ("WAVELENGTH", "FLUX")]
    names[1].unit = "mJy"
    path = write(
        tmp_path / "a.fits", fits.BinTableHDU.from_columns(names, name="EXTRACT1D"), model="MultiSpecModel"
    )
    out = saved(path, True)
    assert fits.getheader(out, 1)["TUNIT2"] == "mJy"


@LOOK
def test_tables_of_text(look, tmp_path):
    columns = [
        fits.Column("x", "E12.5", unit="s", array=[1.5, 2.5]),
        fits.Column("i", "I6", null="-9", array=[3, 4]),
    ]
    table = fits.TableHDU.from_columns(columns, name="TEXT")
    path = write(tmp_path / "a.fits", stored("f4", [[1.0]]), table)
    with fits.open(saved(path, look)) as hdus:
        assert isinstance(hdus["TEXT"], fits.TableHDU) and hdus["TEXT"].data["i"].tolist() == [3, 4]
        assert hdus["TEXT"].header["TUNIT1"] == "s" and hdus["TEXT"].header["TNULL2"] == "-9"


@LOOK
def test_undefined_truth_values_and_text_that_is_not_ascii(look, tmp_path):
    columns = [fits.Column("flag", "L", array=[True, False]), fits.Column("text", "4A", array=["abcd", "ef"])]
    path = write(tmp_path / "a.fits", stored("f4", [[1.0]]), fits.BinTableHDU.from_columns(columns, name="T"))
    path.write_bytes(path.read_bytes().replace(b"TabcdFef\0\0", b"\0ab\xe9dFef\0\0"))
    assert b"\0ab\xe9dFef\0\0" in saved(path, look).read_bytes()


def test_text_that_a_table_cannot_hold_is_refused(tmp_path):
    model = datamodels.ImageModel((1, 1))
    model.extra_fits = {"T": {"data": np.array([("é",)], [("name", "U3")])}}
    with pytest.raises(OutputError, match=r"a\.fits.*T: column name"):
        model.save(tmp_path / "a.fits")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "card", ["TFORM1  = '1Q!'", "TFORM1  = 7", "TFIELDS =                 5000", "TZERO1  = 'abc'"]
)
def test_a_damaged_table_is_named(card, tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[7])], name="T")
    table.header["TZERO1"] = 0
    path = write(tmp_path / "a.fits", stored("f4", [[1.0]]), table)
    content = path.read_bytes()
    start = content.rfind(card[:8].encode())
    path.write_bytes(content[:start] + card.encode().ljust(80) + content[start + 80 :])
    with pytest.raises(
        InputError, match=r"a\.fits.*(T:|HDU 2).*" + ("TFIELDS" if "TFIELDS" in card else card[:6])
    ):
        datamodels.open(path).extra_fits.T.data  # noqa: B018


# ---------------------------------------------------------------- cards


@LOOK
def test_cards_of_all_kinds_are_kept(look, tmp_path):
    path = write(tmp_path / "a.fits", stored("f4", [[1.0]]))
    with fits.open(path, mode="update") as hdus:
        header = hdus["SCI"].header
        header["HIERARCH ESO DET CHIP TEMP"] = (1.25, "of the chip")
        header["HIERARCH lower.case"] = "text"
        header["LONG"] = ("many words " * 30, "a comment that is long enough to need a card of its own here")
        header["Z"], header["UNDEF"], header["EXTLEVEL"], header["BIG"] = 1 - 2.5j, None, 2, 10**18
        header["COMMENT"] = "one"
        header["COMMENT"] = "two"
        header["HISTORY"] = "of the extension"
    want, got = fits.getheader(path, "SCI"), fits.getheader(saved(path, look), "SCI")
    for keyword in ("ESO DET CHIP TEMP", "lower.case", "LONG", "Z", "EXTLEVEL", "BIG"):
        assert got[keyword] == want[keyword] and got.comments[keyword] == want.comments[keyword]
    assert list(got["COMMENT"]) == ["one", "two"] and list(got["HISTORY"]) == ["of the extension"]
    assert "UNDEF" in got


TEXTS = ["Ångström ∑", "two\nlines", "tab\there", "α" * 300, "emoji 🔭", "quote's é"]


@pytest.mark.parametrize("text", TEXTS)
def test_text_that_no_card_can_hold_comes_back(text, tmp_path):
    model = datamodels.ImageModel((2, 2))
    model.meta.target.proposer_name = text
    model.meta.target.catalog_name = "plain"
    for n in range(2):
        path = model.save(tmp_path / f"{n}.fits")
        model = datamodels.open(path)
        assert model.meta.target.proposer_name == text and model.meta.target.catalog_name == "plain"
    assert fits.getheader(path)["DATAMODL"] == "ImageModel"


def test_references_have_a_tree_if_they_need_one(tmp_path):
    model = datamodels.GainModel((2, 2))
    model.meta.description = "plain"
    assert "ASDF" not in fits.open(model.save(tmp_path / "a.fits"))
    model.meta.description = "of a señor"
    assert datamodels.open(model.save(tmp_path / "b.fits")).meta.description == "of a señor"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("kind", ["ImageModel", "MultiSlitModel"])
def test_numbers_that_no_card_can_hold_come_back_in_any_order(value, kind, tmp_path):
    model = getattr(datamodels, kind)()
    model.meta.exposure.exposure_time = value
    if kind == "MultiSlitModel":
        model.slits.append(model.slits.item(data=np.ones((2, 2), "f4"), source_ra=value))
    path = model.save(tmp_path / "a.fits")
    first, second = datamodels.open(path), datamodels.open(path)
    list(second.keys())
    np.testing.assert_equal(first.meta.exposure.exposure_time, value)
    np.testing.assert_equal(second.meta.exposure.exposure_time, value)
    if kind == "MultiSlitModel":
        np.testing.assert_equal(first.slits[0].source_ra, value)


def test_what_only_the_extension_says_of_a_keyword_does_not_count(tmp_path):
    """Headers are edited with other tools: what was deleted there is gone, in any order of looking."""
    model = datamodels.ImageModel((2, 2))
    model.meta.target.ra, model.meta.observation.date = 5.0, "2026-01-01"
    path = model.save(tmp_path / "a.fits")
    with fits.open(path, mode="update") as hdus:
        del hdus[0].header["TARG_RA"]
        hdus[0].header["DATE-OBS"] = "2027-01-01"
    for look in (False, True):
        with datamodels.open(path) as opened:
            if look:
                list(opened.keys())
            assert opened.meta.target.ra is None and opened.meta.observation.date == "2027-01-01"


def test_unknown_cards_that_are_not_ascii_come_back(tmp_path):
    path = write(tmp_path / "a.fits", stored("f4", [[1.0]]))
    content = path.read_bytes()
    start = content.find(b"TELESCOP")
    card = "WHERE   = 'Señor'             / häuser".encode().ljust(80)
    path.write_bytes(content[:start] + card[:80] + content[start + 80 :])
    for _ in range(2):
        path = saved(path, False)
        assert ["WHERE", "Señor", "häuser"] in datamodels.open(path).extra_fits.PRIMARY.header


def test_history_comes_back_with_its_times_and_whole(tmp_path):
    model = datamodels.ImageModel((2, 2))
    model.add_history_entry("long " * 40 + "é")
    back = datamodels.open(model.save(tmp_path / "a.fits"))
    assert back.history == model.history and "time" in back.history[0]


def test_the_first_of_two_cards_counts(tmp_path):
    path = write(tmp_path / "a.fits", stored("f4", [[1.0]]))
    content = path.read_bytes()
    start = content.find(b"END     ")
    cards = (
        b"TARG_RA =                  1.5".ljust(80)
        + b"TARG_RA =                  2.5".ljust(80)
        + b"END".ljust(80)
    )
    path.write_bytes(content[:start] + cards + content[start + 240 :])
    assert datamodels.open(path).meta.target.ra == fits.getheader(path)["TARG_RA"] == 1.5


@pytest.mark.parametrize("version", [0, -3, 1_000_000_000])
def test_numbers_of_hdus_that_are_no_items(version, tmp_path):
    model = datamodels.MultiSlitModel()
    model.slits.append(model.slits.item(data=np.ones((2, 2), "f4")))
    path = tmp_path / "a.fits"
    model.save(path)
    with fits.open(path, mode="append") as hdus:
        hdus.append(fits.ImageHDU(np.full((2, 2), 7, "f4"), name="SCI", ver=5))
    path.write_bytes(
        path.read_bytes().replace(b"EXTVER  =                    5", f"EXTVER  = {version:20d}".encode())
    )
    with datamodels.open(path) as back:
        assert len(back.slits) == 1
        assert back.extra_fits.instance[f"SCI,{version}"]["data"].read()[0, 0] == 7
    with fits.open(saved(path, True)) as hdus:
        assert [hdu.data[0, 0] for hdu in hdus if hdu.name == "SCI"] == [1, 7]
