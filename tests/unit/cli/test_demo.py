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
