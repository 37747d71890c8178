"""``webbcal simulate --filter=P750L``: spectra of MIRI from the command line."""

from pathlib import Path

import numpy as np
import pytest

from webbcal import datamodels
from webbcal.cli.main import main
from webbcal.simulate import Truth


def test_without_a_slit_it_is_a_transit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--filter=P750L", "--subarray=SLITLESSPRISM", "--ngroups=4", "--nints=3", "--grouped_dark=true"]
    assert main(["simulate", str(tmp_path), *words]) == 0
    assert "CRDS_PATH" in capsys.readouterr().out
    (uncal,) = tmp_path.glob("*_uncal.fits")
    with datamodels.open(uncal) as model:
        assert model.meta.exposure.type == "MIR_LRS-SLITLESS" and model.meta.visit.tsovisit
        assert model.meta.exposure.readpatt == "FASTR1" and model.data.shape == (3, 4, 416, 72)
        assert model.meta.instrument.filter == "P750L"
    truth = Truth.load(next(tmp_path.glob("*_truth.fits")))
    assert truth.curve is not None and truth.spectrum is not None and truth.lines is not None
    assert truth.curve.max() == 1.0 and len(truth.lines) == 7
    assert np.all(np.diff(truth.spectrum["wavelength"]) < 0)
    kinds = {path.name.split("_")[2] for path in (tmp_path / "crds/references/jwst/miri").iterdir()}
    assert {"specwcs", "photom", "apcorr", "extract1d", "psf", "flat", "dark", "reset"} <= kinds
    assert "pathloss" not in kinds


def test_spectra_of_the_slit_come_in_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", str(tmp_path), "--filter=P750L", "--exposures=3"]) == 2
    assert "come one by one or as a nod pair" in capsys.readouterr().err
    assert main(["simulate", str(tmp_path), "--filter=P750L", "--detector=MIRIFULONG"]) == 2
    assert "LRS spectra need MIRIMAGE" in capsys.readouterr().err


def test_a_grism_in_a_stripe_looks_at_a_star(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--grism=grismr", "--subarray=SUBGRISM64", "--readpatt=RAPID", "--ngroups=2", "--nints=2"]
    assert main(["simulate", str(tmp_path), *words, "--subarray_only=true"]) == 0
    assert "_uncal.fits" in capsys.readouterr().out
    (uncal,) = tmp_path.glob("*_uncal.fits")
    with datamodels.open(uncal) as model:
        assert model.meta.exposure.type == "NRC_TSGRISM" and model.meta.visit.tsovisit
        assert (model.meta.instrument.filter, model.meta.instrument.pupil) == ("F444W", "GRISMR")
    assert list((tmp_path / "crds").rglob("jwst_nircam_specwcs_*.asdf"))


def test_a_grism_that_does_not_exist_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", str(tmp_path), "--grism=GRISMQ"]) == 2
    assert "there is no grism 'GRISMQ'" in capsys.readouterr().err
