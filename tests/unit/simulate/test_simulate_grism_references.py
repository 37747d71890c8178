"""Reference files of slitless spectra hold the simulator's truth, and undo what it does."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from test_simulate_grisms import EMPTY, MODES, exposure, series

from webbcal import datamodels, simulate
from webbcal.simulate.grisms.dispersing import beam_of
from webbcal.simulate.grisms.references import (
    apcorr_model,
    background_model,
    extraction,
    photom_model,
    share_in_box,
    write_grism_references,
)
from webbcal.simulate.grisms.references_dispersion import range_model, specwcs_model
from webbcal.simulate.personality import normal_gain, personality


def value(terms, t, x0, y0):
    """Evaluate a transform of t, or a list of transforms of the field that are its coefficients."""
    parts = list(terms) if hasattr(terms, "append") else [terms]
    if len(parts) == 1:
        return parts[0](t)
    return sum(part(x0, y0) * t**k for k, part in enumerate(parts))


@pytest.mark.parametrize("mode", MODES)
def test_specwcs_has_the_optics(mode):
    beam = beam_of(exposure(mode))
    model = specwcs_model(beam)
    x0, y0, t = 321.0, 654.0, 0.37
    assert list(model.orders) == [o.number for o in beam.orders]
    for k, order in enumerate(beam.orders):
        trace = order.trace(x0, y0)
        dx, dy = trace.offset(np.array(t))
        found = {name: value(getattr(model, name)[k], t, x0, y0) for name in ("displ", "dispx", "dispy")}
        assert found["displ"] == pytest.approx(float(trace.wavelength(np.array(t))), rel=1e-12)
        assert (found["dispx"], found["dispy"]) == pytest.approx((float(dx), float(dy)), rel=1e-12)


@pytest.mark.parametrize("mode", ["niriss", "miri"])
def test_the_inverse_of_wavelength_is_good_to_a_hundredth_of_a_pixel(mode):
    beam = beam_of(exposure(mode))
    inverse = specwcs_model(beam).invdispl[0]
    trace = beam.orders[0].trace(500.0, 500.0)
    wave = np.linspace(*beam.reach, 300)
    off = [
        np.subtract(*d)
        for d in zip(trace.offset(inverse(wave)), trace.offset(trace.parameter(wave)), strict=True)
    ]
    assert np.abs(off).max() < 0.01


def test_the_time_series_counts_from_the_star():
    beam = beam_of(series())
    model = specwcs_model(beam)
    t, x, y = 0.4, beam.aperture.x_ref - 1.0, beam.aperture.y_ref - 1.0
    trace = beam.trace(beam.orders[0], x, y)
    assert model.dispx[0][0](t) == pytest.approx(float(trace.offset(np.array(t))[0]) - 1.0)
    wave = value(model.displ[0], t, x + 1.0, y + 1.0)
    assert wave == pytest.approx(float(trace.wavelength(np.array(t))), rel=1e-14)
    assert range_model(beam).wavelengthrange[0][:3] == [1, "ANY", "F444W"]


@pytest.mark.parametrize("mode", MODES)
def test_photometry_undoes_the_sensitivity(mode):
    beam = beam_of(exposure(mode))
    model = photom_model(beam)
    steradian = beam.aperture.nominal_area * (np.pi / 180 / 3600) ** 2
    for row, order in zip(model.phot_table, beam.orders, strict=True):
        wave = np.array(row["wavelength"], float)
        counts = beam.sensitivity(order.number, wave) / normal_gain(beam.aperture.detector)  # of 1 Jy
        jansky = counts * row["photmjsr"] * row["relresponse"] * 1e6 * steradian
        np.testing.assert_allclose(jansky, 1.0, rtol=3e-5)
        assert row["nelem"] == len(wave) and ("order" not in row.dtype.names or row["order"] == order.number)


def test_apertures_miss_what_is_outside():
    beam = beam_of(exposure("niriss"))
    row = apcorr_model(beam).apcorr_table[0]
    k = int(np.flatnonzero(row["size"] == 12)[0])
    expected = 1.0 / share_in_box(beam, np.array(row["wavelength"], float), 12.0)
    np.testing.assert_allclose(row["apcorr"][:, k], expected, rtol=1e-6)
    assert np.all(np.diff(row["apcorr"], axis=1) <= 0) and row["apcorr"].min() >= 1.0


def test_the_background_has_the_response_of_the_pixels():
    config = exposure("miri")
    beam = beam_of(config)
    person = personality("MIRIMAGE", config.aperture.box, 0)
    model = background_model(beam, person)
    assert model.data[model.data > 0].mean() == pytest.approx(1.0, rel=1e-5)
    assert not model.data[person.reference].any()
    dead = person.sensitivity == 0
    assert dead.any() and not model.data[dead].any()


def test_a_box_of_a_time_series_is_around_its_star():
    tree = extraction(beam_of(series()))
    (where,) = tree["apertures"]
    (low,), (high,) = where["src_coeff"]
    assert high - low == 8.0 and abs((low + high) / 2 - 34.0) < 0.5
    assert where["bkg_coeff"][0] == [low + 4.0 - 28.0] and where["spectral_order"] == 1


def test_each_exposure_finds_its_files(tmp_path):
    from webbcal.references.bestrefs import best_references

    configs = [exposure("miri"), replace(exposure("miri"), grism=None)]
    cache = simulate.CrdsCache(tmp_path / "crds")
    simulate.write_image_references(cache, {"MIRIMAGE"})
    simulate.write_catalog_references(cache, {"MIRI"})
    paths = write_grism_references(cache, configs)
    assert sorted(p.name.split("_")[2] for p in paths) == sorted(
        ["apcorr", "area", "bkg", "flat", "photom", "specwcs", "wavelengthrange"]
    )
    ask = partial(_found, best_references, cache.environment)
    found = ask(configs[0], ["specwcs", "bkg", "apcorr"])
    assert {p.name for p in paths} >= set(found.values())
    assert ask(configs[1], ["specwcs", "bkg"]) == {"specwcs": "N/A", "bkg": "N/A"}


def _found(best_references, environment, config, kinds):
    from webbcal.simulate.headers import assign, exposure_metadata

    model = datamodels.ImageModel((4, 4))
    assign(model, exposure_metadata(config))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        found = best_references(model.get_crds_parameters(), kinds)
    return {k: v if v == "N/A" else str(v).rsplit("/", 1)[-1] for k, v in found.items()}


def test_a_rate_universe_of_a_time_series_has_its_files(tmp_path):
    config = replace(series(), nints=1, sky=EMPTY)
    world = simulate.rate_universe(
        tmp_path, [config], simulate.RateOptions(integrations=True), subarray_only=True
    )
    kinds = {
        json.loads(p.read_text())["reftype"]
        for p in (tmp_path / "crds").rglob("*.json")
        if "extract1d" in p.name
    }
    assert kinds == {"EXTRACT1D"} and world.rate[0].name.endswith("_rateints.fits")
