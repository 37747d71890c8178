"""Spectra of a slitless field beside their truth."""

from pathlib import Path

import numpy as np
import pytest

from webbcal import datamodels, simulate
from webbcal.core.errors import InputError
from webbcal.report.wfss_truth import compare_wfss
from webbcal.simulate.grisms.dispersing import source_table
from webbcal.simulate.grisms.seen import seen_spectra

ERROR = 1e-6


@pytest.fixture
def config() -> simulate.ExposureConfig:
    """Return an exposure of three sources, the second a galaxy."""
    base = simulate.ExposureConfig(
        detector="MIRIMAGE", filter="F1000W", readpatt="FASTR1", grism=simulate.Grism("P750L")
    )
    places = base.pointing.pixel_to_sky(np.array([300.0, 500.0, 700.0]), np.array([450.0, 500.0, 550.0]))
    sources = tuple(
        simulate.Source(float(ra), float(dec), 17.0, radius=0.2 * (k == 1))
        for k, (ra, dec) in enumerate(zip(*places, strict=True))
    )
    sky = simulate.ListedSky(background=0.0, sources=sources)
    return simulate.ExposureConfig(
        detector="MIRIMAGE", filter="F1000W", readpatt="FASTR1", grism=simulate.Grism("P750L"), sky=sky
    )


def product(config: simulate.ExposureConfig, path: Path, off: float = 0.0) -> Path:
    """Write combined spectra that are the truth, 2 % too bright; the sources are `off` (arcsec)."""
    sources = source_table(config)
    truth = seen_spectra(config, sources)
    model = datamodels.WFSSMultiCombinedSpecModel()
    item = datamodels.WFSSCombinedSpecModel()
    n = max(int((truth["source"] == s["id"]).sum()) for s in sources)
    names = [(name, item.get_dtype("spec_table")[name].base) for name in item.get_dtype("spec_table").names]
    array_columns = ("WAVELENGTH", "FLUX", "ERROR")
    table = np.zeros(len(sources), [(m, d, (n,)) if m in array_columns else (m, d) for m, d in names])
    table["WAVELENGTH"] = np.nan
    for label, (row, source) in enumerate(zip(table, sources, strict=True), 11):
        true = truth[truth["source"] == source["id"]]
        row["SOURCE_ID"], row["SOURCE_RA"] = label, source["ra"]
        row["SOURCE_DEC"] = source["dec"] + off / 3600
        row["WAVELENGTH"][: len(true)], row["FLUX"][: len(true)] = true["wavelength"], 1.02 * true["seen"]
        row["ERROR"] = ERROR
    model.spec.append({"spec_table": table, "spectral_order": 1, "dispersion_direction": 2})
    model.save(path)
    return path


def test_spectra_are_compared_with_those_of_their_sources(config, tmp_path):
    found = compare_wfss(config, product(config, tmp_path / "field_c1d.fits"))
    assert [(c.label, c.source, c.galaxy) for c in found] == [(11, 1, False), (12, 2, True), (13, 3, False)]
    for c in found:
        assert c.ratio == pytest.approx(1.02, abs=1e-4) and (np.diff(c.wavelength) > 0).all()
        np.testing.assert_allclose(c.pulls, 0.02 * c.truth / ERROR, rtol=1e-2)
    assert len(found[0].lines) == 3 and not found[1].lines


def test_spectra_of_nothing_that_was_simulated_are_refused(config, tmp_path):
    with pytest.raises(InputError, match="no spectrum of a source that was simulated"):
        compare_wfss(config, product(config, tmp_path / "field_c1d.fits", off=5.0))


def test_what_is_seen_keeps_the_light_of_the_spectrum(config):
    sources = source_table(config)
    seen = seen_spectra(config, sources)
    one = seen[(seen["source"] == 2) & (seen["order"] == 1)]
    inner = one[(one["wavelength"] > 6) & (one["wavelength"] < 13)]
    assert np.sum(inner["seen"]) == pytest.approx(np.sum(inner["flux"]), rel=1e-2)
    assert np.all(np.diff(one["pixel"]) == 1) and (np.diff(one["wavelength"]) < 0).all()
