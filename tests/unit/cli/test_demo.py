"""The demo, small."""

from pathlib import Path

import pytest

from webbcal.cli.main import main


def test_demo_makes_a_calibrated_exposure_and_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--output_dir=demo", "--subarray=SUB64P", "--detector=NRCB1", "--filter=F200W"]) == 0
    (line,) = capsys.readouterr().out.strip().splitlines()
    assert "_rate.fits" in line and "picture:" in line
    assert Path("demo/demo.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(Path("demo").glob("*_rate*.fits"))) == 2


def test_demo_mosaic_makes_a_mosaic_and_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "mosaic", "--output_dir=demo", "--instrument=niriss", "--subarray=SUB128"]) == 0
    *aligned, line = capsys.readouterr().out.strip().splitlines()
    assert len(aligned) == 4 and all(a.startswith("tweakreg: ") for a in aligned)
    assert "niriss_f200w_i2d.fits" in line and "4 exposures" in line and "niriss_f200w.png" in line
    assert Path("demo/niriss_f200w.png").read_bytes().startswith(b"\x89PNG")


def test_there_are_no_other_demos(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "spectrum"]) == 2
    assert main(["demo", "mosaic", "--instrument=nirspec"]) == 2
    assert "known: nircam, niriss, fgs, miri" in capsys.readouterr().err
    assert main(["demo", "mosaic", "--instrumet=miri"]) == 2
    assert "did you mean" in capsys.readouterr().err
