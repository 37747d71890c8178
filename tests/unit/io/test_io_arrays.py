import numpy as np
import pytest
from astropy.io import fits

from webbcal.core.errors import InputError
from webbcal.io.arrays import ArraySource, FitsArray, MemoryArray, Stored, region_of, runs_of
from webbcal.io.file_handle import FileHandle

TYPES = ["u1", "i2", "u2", "i4", "u4", "i8", "f4", "f8"]


def on_disk(path, array) -> FitsArray:
    hdu = fits.ImageHDU(array)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    with fits.open(path) as hdus:
        header, offset = hdus[1].header, hdus.fileinfo(1)["datLoc"]
        scaling = header.get("BSCALE", 1), header.get("BZERO", 0)
        return FitsArray(FileHandle(path), offset, array.shape, Stored(header["BITPIX"], *scaling))


def sample(dtype, shape=(2, 3, 7, 5)) -> np.ndarray:
    rng = np.random.default_rng(1)
    if np.dtype(dtype).kind == "f":
        return rng.normal(size=shape).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, size=shape, dtype=dtype, endpoint=True)


@pytest.mark.parametrize("dtype", TYPES)
def test_fits_array_gives_native_values_of_any_type(tmp_path, dtype):
    array = sample(dtype)
    source = on_disk(tmp_path / "a.fits", array)
    assert isinstance(source, ArraySource)
    assert source.dtype == np.dtype(dtype) and source.dtype.isnative
    read = source.read()
    assert read.dtype == source.dtype and read.flags.c_contiguous
    np.testing.assert_array_equal(read, array)


REGIONS = [
    (),
    (0,),
    (slice(None), slice(1, 3)),
    (1, slice(0, 2), slice(2, 6)),
    (slice(None), slice(None), slice(3, 5)),
    (slice(None), slice(None), slice(1, 6), slice(0, 2)),
    (slice(None), -1, slice(None), 4),
    (0, 1, 2, 3),
    (slice(5, 5),),
]


@pytest.mark.parametrize("index", REGIONS)
def test_any_region_equals_numpy_indexing(tmp_path, index, monkeypatch):
    for name in ("CHUNK_BYTES", "_MAPPED_BYTES"):
        monkeypatch.setattr(f"webbcal.io.arrays.{name}", 64)  # many chunks
    array = sample("u2")
    for source in (on_disk(tmp_path / "a.fits", array), MemoryArray(array)):
        np.testing.assert_array_equal(source.read(*index), array[index])
        out = np.empty(np.shape(array[index]), np.float32)
        source.read_into(out, *index)
        np.testing.assert_array_equal(out, array[index].astype(np.float32))


def test_read_into_a_view_with_gaps(tmp_path):
    array = sample("f4")
    out = np.zeros((2, 3, 7, 10), np.float32)
    on_disk(tmp_path / "a.fits", array).read_into(out[..., ::2])
    np.testing.assert_array_equal(out[..., ::2], array)
    assert not out[..., 1::2].any()


def test_scaled_integers_become_floats(tmp_path):
    stored = np.arange(-6, 6, dtype=np.int16).reshape(3, 4)
    source = on_disk(tmp_path / "a.fits", stored)
    source = FitsArray(source.handle, source.offset, stored.shape, Stored(16, 0.5, 10.0))
    assert source.dtype == np.float32
    np.testing.assert_allclose(source.read(slice(1, 3)), stored[1:3] * 0.5 + 10)


def test_a_closed_handle_opens_again_but_not_another_file(tmp_path):
    array = sample("i2")
    source = on_disk(tmp_path / "a.fits", array)
    source.read(0)
    source.handle.close()
    np.testing.assert_array_equal(source.read(1), array[1])
    source.handle.close()
    (tmp_path / "a.fits").write_bytes(b"something else")
    with pytest.raises(InputError, match=r"a\.fits: the file changed"):
        source.read()


def test_truncated_data_are_named(tmp_path):
    source = on_disk(tmp_path / "a.fits", sample("f8", (400, 400)))
    with (tmp_path / "a.fits").open("r+b") as file:
        file.truncate(50_000)
    for columns in (slice(None), slice(3)):
        with pytest.raises(InputError, match="ends before its data"):
            source.read(slice(None), columns)


def test_regions_are_checked():
    with pytest.raises(IndexError, match="step 1"):
        region_of((4, 4), (slice(0, 4, 2),))
    with pytest.raises(IndexError, match="outside axis 1"):
        region_of((4, 4), (0, 4))
    with pytest.raises(IndexError, match="3 indices"):
        region_of((4, 4), (0, 0, 0))


def test_runs_are_as_long_as_possible():
    offsets, length = runs_of((2, 3, 4), [(0, 2), (1, 3), (0, 4)])
    assert (list(offsets), length) == ([4, 16], 8)
