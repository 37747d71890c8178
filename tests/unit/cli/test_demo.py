"""The demos, small; that of slitless spectra is in tests/tutorials/test_tutorials_spectra.py."""

from pathlib import Path

import numpy as np
import pytest

from webbcal.cli.main import main
from webbcal.report.spectrum_truth import compare_spectrum


def test_demo_makes_a_calibrated_exposure_and_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--output_dir=demo", "--subarray=SUB64P", "--detector=NRCB1", "--filter=F200W"]) == 0
    (line,) = capsys.readouterr().out.strip().splitlines()
    assert "_rate.fits" in line and "picture:" in line
    assert Path("demo/demo.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(Path("demo").glob("*_rate*.fits"))) == 2


def test_demo_of_another_instrument(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--subarray=SUB64", "--ngroups=6"]
    assert main(["demo", "detector1", "--instrument=miri", "--output_dir=demo", *options]) == 0
    assert "mirimage_rate.fits" in capsys.readouterr().out
    assert Path("demo/demo.png").read_bytes().startswith(b"\x89PNG")


def test_demo_mosaic_makes_a_mosaic_and_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "mosaic", "--output_dir=demo", "--instrument=niriss", "--subarray=SUB128"]) == 0
    *aligned, line = capsys.readouterr().out.strip().splitlines()
    assert len(aligned) == 4 and all(a.startswith("tweakreg: ") for a in aligned)
    assert "niriss_f200w_i2d.fits" in line and "4 exposures" in line and "niriss_f200w.png" in line
    assert Path("demo/niriss_f200w.png").read_bytes().startswith(b"\x89PNG")


def test_demo_spectrum_makes_a_spectrum_and_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "spectrum", "--output_dir=demo", "--ngroups=5"]) == 0
    assert "picture:" in capsys.readouterr().out
    assert Path("demo/miri_p750l.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(Path("demo").glob("*_x1d.fits"))) == 3
    (truth, _) = sorted(Path("demo").glob("*_truth.fits"))
    found = compare_spectrum(Path("demo/miri_p750l_x1d.fits"), truth)
    assert abs(np.median(found.excess)) < 0.01 and len(found.lines) == 7
    assert max(abs(line.offset) for line in found.lines) < 0.1


def test_there_are_no_other_demos(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "cube"]) == 2
    assert "there are detector1, mosaic, spectrum and wfss" in capsys.readouterr().err
    assert main(["demo", "spectrum", "--subarray=FULL"]) == 2
    assert "demo spectrum has no option 'subarray'" in capsys.readouterr().err
    assert main(["demo", "spectrum", "--ngroups=many"]) == 2
    assert "--ngroups=many: expected an integer" in capsys.readouterr().err
    assert main(["demo", "wfss", "--instrument=fgs"]) == 2
    assert "no slitless field of 'fgs'; known: nircam, niriss, miri" in capsys.readouterr().err
    assert main(["demo", "wfss", "--sources=many"]) == 2
    assert "--sources=many: expected an integer" in capsys.readouterr().err
    assert main(["demo", "wfss", "--source=3"]) == 2
    assert "did you mean" in capsys.readouterr().err
    assert main(["demo", "detector1", "--instrument=hst"]) == 2
    assert "no demo of instrument 'hst'; known: nircam, niriss, fgs, miri, nirspec" in capsys.readouterr().err
    assert main(["demo", "mosaic", "--instrument=nirspec"]) == 2
    assert "known: nircam, niriss, fgs, miri" in capsys.readouterr().err
    assert main(["demo", "mosaic", "--instrumet=miri"]) == 2
    assert "did you mean" in capsys.readouterr().err
