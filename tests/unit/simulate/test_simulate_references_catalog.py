"""Aperture corrections and Vega offsets of the simulator: they are what its own stars need."""

import numpy as np
import pytest
from photutils.aperture import CircularAnnulus, CircularAperture, aperture_photometry

from webbcal import datamodels
from webbcal.references.bestrefs import best_references
from webbcal.simulate import CrdsCache, write_catalog_references
from webbcal.simulate.optics import add_stars, find_filter
from webbcal.simulate.references_catalog import PointSpread, pixel_scale, vega_offset

HEADERS = {
    "NIRCAM": {"detector": "MULTIPLE", "filter": "F444W", "pupil": "CLEAR", "type": "NRC_IMAGE"},
    "NIRISS": {"detector": "NIS", "filter": "CLEAR", "pupil": "F150W", "type": "NIS_IMAGE"},
    "FGS": {"detector": "GUIDER2", "filter": None, "pupil": None, "type": "FGS_IMAGE"},
    "MIRI": {"detector": "MIRIMAGE", "filter": "F770W", "pupil": None, "type": "MIR_IMAGE"},
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    made = CrdsCache(tmp_path_factory.mktemp("catalog") / "crds")
    write_catalog_references(made, HEADERS)
    return made


@pytest.mark.parametrize("instrument", HEADERS)
def test_crds_finds_them_for_mosaics(cache, monkeypatch, instrument):
    for name, value in cache.environment.items():
        monkeypatch.setenv(name, value)
    header = HEADERS[instrument]
    model = datamodels.ImageModel()
    model.meta.instrument.name = instrument
    for name in ("detector", "filter", "pupil"):
        if header[name] is not None:
            setattr(model.meta.instrument, name, header[name])
    model.meta.exposure.type = header["type"]
    model.meta.observation.date, model.meta.observation.time = "2026-01-01", "00:00:00.000"
    found = best_references(model.get_crds_parameters(), ["apcorr", "abvegaoffset"])
    table = datamodels.open(found["apcorr"]).apcorr_table
    names = table.dtype.names
    for column in ("filter", "pupil"):
        assert (column in names) == (header[column] is not None)
        if column in names:
            table = table[table[column] == header[column]]
    if "subarray" in names:
        table = table[table["subarray"] == "FULL"]
    np.testing.assert_allclose(table["eefraction"], np.arange(1, 9) / 10, rtol=1e-6)
    assert (np.diff(table["radius"]) > 0).all() and (np.diff(table["apcorr"]) < 0).all()
    # All light is the share in the aperture and that which the sky took away.
    assert (table["apcorr"] * table["eefraction"] > 1).all()
    assert (table["skyin"] > table["radius"]).all() and (table["skyout"] > table["skyin"]).all()
    offsets = datamodels.open(found["abvegaoffset"]).abvega_offset
    assert "abvega_offset" in offsets.colnames and len(offsets) > 1


@pytest.mark.parametrize(("detector", "name"), [("NRCALONG", "F444W"), ("NRCA1", "F200W"), ("NIS", "F356W")])
def test_corrected_fluxes_are_those_of_stars(detector, name):
    instrument = "NIRISS" if detector == "NIS" else "NIRCAM"
    sigma = find_filter(instrument, name).core_sigma(pixel_scale(detector))
    rng = np.random.default_rng(5)
    # Far apart and whole, so that all of the wings are there.
    positions = np.stack(np.meshgrid(*[np.arange(4) * 121.0 + 60.0] * 2), -1).reshape(-1, 2)
    positions += rng.random(positions.shape)
    image = np.zeros((484, 484))
    add_stars(image, *positions.T, np.full(len(positions), 1000.0), sigma)
    spread = []
    for _, radius, correction, inner, outer in list(PointSpread(sigma, 2).apertures())[2:]:
        total = aperture_photometry(image, CircularAperture(positions, radius))["aperture_sum"]
        annuli = CircularAnnulus(positions, inner, outer).to_mask(method="center")
        sky = np.array([np.median(a.get_values(image)) for a in annuli])
        flux = correction * (total - sky * np.pi * radius**2)
        # Where in its pixel a star lies matters, for small apertures; the mean over places does not.
        assert np.mean(flux) == pytest.approx(1000.0, abs=2.0 + 3.0 * np.std(flux) / 4.0), radius
        spread.append(np.std(flux))
    assert spread[-1] < 15.0


def test_vega_is_fainter_in_ab_towards_the_red():
    assert vega_offset(0.5556) == pytest.approx(-2.5 * np.log10(3540 / 3631))
    offsets = [vega_offset(w) for w in (0.7, 2.0, 4.4, 7.7, 25.0)]
    assert (np.diff(offsets) > 0).all() and offsets[2] == pytest.approx(3.2, abs=0.4)
