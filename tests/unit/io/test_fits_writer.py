import errno
import os
import threading

import numpy as np
import pytest
from astropy.io import fits

from webbcal import datamodels
from webbcal.core.errors import OutputError
from webbcal.datamodels.product_writer import ProductWriter
from webbcal.io import atomic, fits_writer

SHAPE = (2, 3, 40, 16)


def values(dtype=np.float32, shape=SHAPE):
    return np.arange(np.prod(shape), dtype=dtype).reshape(shape)


def writer(path, **arrays):
    model = datamodels.RampModel()
    model.meta.target.ra = 12.5
    model.int_times = [(1, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)]
    arrays = arrays or {"data": (SHAPE, np.float32), "pixeldq": (SHAPE[-2:], np.uint32)}
    return model, ProductWriter(path, model, arrays)


def test_bands_from_threads_make_a_product(tmp_path):
    path = tmp_path / "a_ramp.fits"
    model, product = writer(path)
    data, dq = values(), values(np.uint32, SHAPE[-2:])

    def band(first):
        rows = slice(first, first + 10)
        product.write("data", data[:, :, rows], slice(None), slice(None), rows)
        product.write("pixeldq", dq[rows], rows)

    threads = [threading.Thread(target=band, args=(first,)) for first in range(0, 40, 10)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert not path.exists()
    model.meta.cal_step.jump = "COMPLETE"
    product.commit(model)
    assert [p.name for p in tmp_path.iterdir()] == ["a_ramp.fits"]
    with fits.open(path) as hdus:
        hdus.verify("exception")
        np.testing.assert_array_equal(hdus["SCI"].data, data)
        np.testing.assert_array_equal(hdus["PIXELDQ"].data, dq)
        assert hdus[0].header["S_JUMP"] == "COMPLETE" and hdus[0].header["TARG_RA"] == 12.5
        assert hdus["INT_TIMES"].data["int_end_BJD_TDB"][0] == 6.0
    with datamodels.open(path) as back:
        assert type(back).__name__ == "RampModel" and back.meta.filename == "a_ramp.fits"
        np.testing.assert_array_equal(back.data, data)


def test_headers_may_outgrow_their_room(tmp_path, monkeypatch):
    monkeypatch.setattr("webbcal.io.arrays.CHUNK_BYTES", 1000)
    path = tmp_path / "a.fits"
    model, product = writer(path)
    product.write("data", values())
    product.write("pixeldq", values(np.uint32, SHAPE[-2:]))
    for number in range(400):
        model.add_history_entry(f"entry {number}")
    model.meta.wcsinfo.s_region = "POLYGON ICRS " + "1.234567890 " * 300
    product.commit(model)
    with fits.open(path) as hdus:
        hdus.verify("exception")
        np.testing.assert_array_equal(hdus["SCI"].data, values())
        np.testing.assert_array_equal(hdus["PIXELDQ"].data, values(np.uint32, SHAPE[-2:]))
        assert hdus[0].header["HISTORY"][399] == "entry 399"
    assert path.stat().st_size % 2880 == 0


def test_unwritten_parts_are_an_error(tmp_path):
    _, product = writer(tmp_path / "a.fits")
    product.write("data", values())
    product.write("pixeldq", 0, slice(0, 39))
    with pytest.raises(OutputError, match="parts of pixeldq were never written"):
        product.commit()
    assert list(tmp_path.iterdir()) == []


def test_abort_and_an_error_inside_leave_nothing(tmp_path):
    _, product = writer(tmp_path / "a.fits")
    product.abort()
    _, product = writer(tmp_path / "a.fits")
    with pytest.raises(KeyboardInterrupt), product:
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_full_disk(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    model = datamodels.ImageModel((50, 50))
    monkeypatch.setattr(atomic.os, "pwrite", full)
    with pytest.raises(OutputError, match=r"x\.fits: cannot be written \(No space left"):
        model.save(tmp_path / "x.fits")
    assert list(tmp_path.iterdir()) == []


def test_interrupt_while_saving_keeps_the_old_file(tmp_path, monkeypatch):
    model = datamodels.ImageModel((50, 50))
    path = tmp_path / "x.fits"
    model.save(path)
    before = path.read_bytes()

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(fits_writer.FitsWriter, "_write_all", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.save(path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_missing_folder_folder_as_name_and_unknown_ending(tmp_path):
    model = datamodels.ImageModel((4, 4))
    with pytest.raises(OutputError, match=r"nowhere/x\.fits: cannot write to the folder"):
        model.save(tmp_path / "nowhere" / "x.fits")
    with pytest.raises(OutputError, match="unknown file type"):
        model.save(tmp_path / "x.png")
    (tmp_path / "d.fits").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        model.save(tmp_path / "d.fits")
    path = model.save(tmp_path / "x.fits")
    with pytest.raises(OutputError, match="exists already"):
        model.save(path, overwrite=False)


def lent(path):
    """A product whose arrays were streamed to an unfinished file, and what they are."""
    model, product = writer(path)
    data, dq = values(), values(np.uint32, SHAPE[-2:])
    product.write("data", data)
    product.write("pixeldq", dq)
    product.lend(model)
    return model, data, dq


def test_arrays_can_be_read_before_the_file_is_finished(tmp_path):
    path = tmp_path / "a_ramp.fits"
    model, data, dq = lent(path)
    np.testing.assert_array_equal(model.source("data").read(0, 1), data[0, 1])
    assert not path.exists()
    model.meta.cal_step.jump = "COMPLETE"
    model.history = [{"description": f"{k:060}"} for k in range(400)]  # headers outgrow their room
    model.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["a_ramp.fits"]
    model.close()
    np.testing.assert_array_equal(model.pixeldq, dq)
    np.testing.assert_array_equal(model.data, data)
    with datamodels.open(path) as back:
        assert back.meta.cal_step.jump == "COMPLETE" and len(back.history) == 400
        np.testing.assert_array_equal(back.data, data)
    with fits.open(path) as hdus:
        hdus.verify("exception")


def test_what_is_changed_in_between_is_saved(tmp_path):
    model, data, dq = lent(tmp_path / "a.fits")
    model.data[0, 0, 0, 0] = -1
    model.save(tmp_path / "a.fits")
    with datamodels.open(tmp_path / "a.fits") as back:
        assert back.data[0, 0, 0, 0] == -1 and (back.data != data).sum() == 1
        np.testing.assert_array_equal(back.pixeldq, dq)
    model, data, dq = lent(tmp_path / "b.fits")
    model.data = data[:1]
    model.save(tmp_path / "b.fits")
    with datamodels.open(tmp_path / "b.fits") as back:
        assert back.data.shape == (1, *SHAPE[1:])


def test_an_unfinished_file_goes_with_its_product(tmp_path):
    model, data, _ = lent(tmp_path / "a.fits")
    copy = model.copy()
    copy.save(tmp_path / "other.fits")
    model.save(tmp_path / "more.fits")
    assert len(list(tmp_path.iterdir())) == 3  # with the temporary one
    del model, copy
    assert sorted(p.name for p in tmp_path.iterdir()) == ["more.fits", "other.fits"]
    with datamodels.open(tmp_path / "other.fits") as back:
        np.testing.assert_array_equal(back.data, data)
