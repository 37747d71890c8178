"""webbcal diff: what is told of two products, and the exit status."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from stage2_cases import rate

from webbcal import datamodels
from webbcal.cli.main import main
from webbcal.core import dqflags
from webbcal.report.comparison import arrays
from webbcal.report.comparison.arrays import Tolerance, compare_arrays

STEPS = [
    {"step": "jump", "status": "COMPLETE", "reason": "applied",
     "parameters": {"rejection_threshold": {"value": 4.0, "origin": "default"}},
     "references": {"gain": {"name": "gain_1.fits", "sha256": "aa", "origin": "crds"}}},
    {"step": "ipc", "status": "SKIPPED", "reason": "skip = True"},
]  # fmt: skip


def saved(path, steps=STEPS, **changes):
    """Save a rate image with a run record; `changes` are arrays."""
    model = rate()
    model.meta.run_record = [{"software": "webbcal", "version": "1", "steps": steps}]
    for name, value in changes.items():
        setattr(model, name, value)
    model.save(path)
    return path


def pair(**changes):
    """Save a product, and one that differs from it."""
    return str(saved(Path("a_rate.fits"))), str(saved(Path("b_rate.fits"), **changes))


def told(capsys, *words):
    """Return the exit status and what is printed."""
    status = main(["diff", *words])
    return status, capsys.readouterr().out


def test_the_same(capsys):
    status, out = told(capsys, *pair())
    assert status == 0 and "no differences" in out and "SCI,1" in out


def test_a_pixel(capsys):
    data = rate().data.copy()
    data[3, 7] += 0.5
    files = pair(data=data)
    status, out = told(capsys, *files)
    assert status == 1 and "1 of 4096 values differ" in out and "at [3, 7]: 10.0 | 10.5" in out
    assert told(capsys, *files, "--atol=0.6")[0] == 0
    assert told(capsys, *files, "-r", "0.01")[0] == 1
    assert told(capsys, *files, "--ignore-hdus=SCI")[0] == 0
    assert told(capsys, *files, "--only=parameters,references")[0] == 0
    assert told(capsys, *files, "--quiet") == (1, "")


def test_flags_are_told_by_name(capsys):
    flags = np.zeros((64, 64), np.uint32)
    flags[:2] = dqflags.pixel["JUMP_DET"] | dqflags.pixel["DO_NOT_USE"]
    status, out = told(capsys, *pair(dq=flags))
    assert status == 1 and "JUMP_DET: 0 in A alone, 128 in B alone" in out


def test_how_they_were_made(capsys):
    jump = STEPS[0] | {
        "parameters": {"rejection_threshold": {"value": 5.0, "origin": "user"}},
        "references": {"gain": {"name": "gain_1.fits", "sha256": "bb"}},
    }
    status, out = told(capsys, *pair(steps=[jump, STEPS[1] | {"status": "COMPLETE"}]))
    assert status == 1
    assert "jump.rejection_threshold" in out and "4.0 | 5.0" in out
    assert "gain_1.fits (aa) | gain_1.fits (bb)" in out
    assert "skipped | applied" in out and "pixels" in out
    assert told(capsys, "a_rate.fits", "b_rate.fits", "--only", "pixels,keywords")[0] == 0


def test_keywords(capsys):
    files = pair()
    with datamodels.open(files[1]) as model:
        model.meta.target.catalog_name = "Another"
        model.save("c_rate.fits")
    status, out = told(capsys, files[0], "c_rate.fits")
    assert status == 1 and "TARGNAME" in out and "'Another'" in out
    assert told(capsys, files[0], "c_rate.fits", "-k", "TARGN*")[0] == 0


def test_other_shapes_hdus_and_files(capsys):
    model = rate()
    model.data, model.var_rnoise = np.zeros((3, 64), np.float32), None
    model.save("c_rate.fits")
    status, out = told(capsys, pair()[0], "c_rate.fits")
    assert status == 1 and "shape 64 × 64 in the first, 3 × 64 in the second" in out
    assert "only the first has it" in out
    rate().save("d_rate.asdf")
    rate(11.0).save("e_rate.asdf")
    assert told(capsys, "d_rate.asdf", "d_rate.asdf")[0] == 0
    status, out = told(capsys, "d_rate.asdf", "e_rate.asdf", "--only=pixels")
    assert status == 1 and "4096 of 4096 values differ" in out


def test_odd_words(capsys):
    a, b = pair()
    assert main(["diff"]) == 2 and main(["diff", "--help"]) == 0
    assert main(["diff", a]) == 2 and main(["diff", a, b, "--rtol=-1"]) == 2
    assert main(["diff", a, b, "--rtoll=1"]) == 2 and main(["diff", a, b, "--only=pixel"]) == 2
    assert main(["diff", a, "missing.fits"]) == 1
    err = capsys.readouterr().err
    assert "did you mean '--rtol'?" in err and "did you mean 'pixels'?" in err and "missing.fits" in err


def test_nan_equals_nan_and_nothing_else():
    a = np.array([1.0, np.nan, np.nan, np.inf])
    b = np.array([1.0, np.nan, 2.0, np.inf])
    for tolerance in (Tolerance(), Tolerance(absolute=1e9)):
        found = compare_arrays("SCI,1", a, b, tolerance, 5)
        assert found.different == 1 and found.examples[0][0] == (2,)


def test_columns_of_tables():
    kind = [("wavelength", "f8"), ("name", "S3")]
    a = np.array([(1.0, b"one"), (2.0, b"two")], kind)
    b = a.copy()
    b["name"][1] = b"too"
    found = compare_arrays("EXTRACT1D,1", a, b, Tolerance(0.1, 0.1), 5)
    assert found.different == 1 and found.size == 4 and found.examples[0][1:] == (b"two", b"too")
    assert "columns" in compare_arrays("T", a, a[["name"]], Tolerance(), 5).why


def test_pieces_cover_the_array(monkeypatch):
    monkeypatch.setattr(arrays, "_PIECE_BYTES", 40)
    a = np.zeros((3, 4, 5))
    b = a.copy()
    b[2, 3, 4] = b[0, 0, 1] = 1.0
    found = compare_arrays("SCI,1", a, b, Tolerance(), 5)
    assert found.size == 60 and [e[0] for e in found.examples] == [(0, 0, 1), (2, 3, 4)]


@pytest.mark.parametrize("dtype", ["f4", "i4", "u2"])
def test_largest_differences(dtype):
    a = np.array([10, 0, 5], dtype)
    b = np.array([12, 3, 5], dtype)
    found = compare_arrays("SCI,1", a, b, Tolerance(), 1)
    assert (found.largest, found.largest_relative, len(found.examples)) == (3.0, 1.0, 1)


def test_a_library_that_one_run_has_not_loaded_is_no_difference(capsys):
    for name, libraries in (("a", {"numpy": "2", "astropy": "8"}), ("b", {"numpy": "2"})):
        model = rate()
        model.meta.run_record = [
            {"software": "webbcal", "version": "1", "libraries": libraries, "steps": STEPS}
        ]
        model.save(f"{name}_rate.fits")
    assert told(capsys, "a_rate.fits", "b_rate.fits")[0] == 0
    model.meta.run_record[0].libraries.numpy = "1"
    model.save("c_rate.fits")
    status, out = told(capsys, "a_rate.fits", "c_rate.fits")
    assert status == 1 and "numpy" in out and "astropy" not in out


def test_when_members_were_written_is_no_difference(capsys):
    for name, date, value in (("a", "2024", 1.0), ("b", "2025", 1.0), ("c", "2025", 2.0)):
        table = np.array([(date, value)], dtype=[("DATE", "S4"), ("EFFEXPTM", "f8")])
        fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU(table, name="HDRTAB")]).writeto(f"{name}_i2d.fits")
    assert told(capsys, "a_i2d.fits", "b_i2d.fits")[0] == 0
    assert told(capsys, "a_i2d.fits", "c_i2d.fits")[0] == 1
