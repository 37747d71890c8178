"""Catalogues against the truth: isolated stars on an image whose noise is known exactly."""

import numpy as np
import pytest
from catalog_cases import Scene, make

from webbcal.combine.sources.source_catalog import SourceCatalogStep
from webbcal.simulate import CrdsCache, write_catalog_references

SCENES = (
    Scene("nircam", shape=(700, 700), step=70, faint=200, bright=1500, seed=11),
    Scene(
        "miri", "MIRI", "MIRIMAGE", "F1280W", "F1280W", None, "MIR_IMAGE",
        shape=(900, 900), step=100, faint=400, bright=3000, seed=12,
    ),
)  # fmt: skip


@pytest.fixture(scope="module", params=SCENES, ids=lambda s: s.name)
def matched(request, tmp_path_factory):
    """Return the rows of catalogue and truth of the same stars."""
    # The image is not resampled; so must the apertures' corrections be.
    cache = CrdsCache(tmp_path_factory.mktemp("truth") / "crds")
    write_catalog_references(cache, [request.param.instrument], resampled=False)
    model, truth = make(request.param)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in cache.environment.items():
            patch.setenv(name, value)
        catalog = SourceCatalogStep.call(model, npixels=9)  # the faint ones cover few pixels
    distance = np.hypot(
        catalog["xcentroid"][None] - truth.x[:, None], catalog["ycentroid"][None] - truth.y[:, None]
    )
    nearest = distance.argmin(axis=1)
    found = distance.min(axis=1) < 1.0
    assert found.mean() > 0.98  # and each of them once
    assert len(set(nearest[found])) == found.sum() == len(catalog)
    return catalog[nearest[found]], truth[found]


def test_fluxes_are_unbiased_within_their_errors(matched):
    catalog, truth = matched
    pulls = (catalog["aper_total_flux"].value - truth.flux) / catalog["aper_total_flux_err"].value
    number = len(pulls)
    assert number > 70
    assert abs(np.mean(pulls)) < 4.0 / np.sqrt(number)
    # The local background has an error of its own, which the errors of fluxes leave out.
    radii = catalog.meta["aperture_params"]
    area = np.pi * radii["aperture_radii"][-1] ** 2
    ring = np.pi * (radii["bkg_aperture_outer_radius"] ** 2 - radii["bkg_aperture_inner_radius"] ** 2)
    expected = np.sqrt(1.0 + np.pi / 2 * area / ring)
    assert expected < 1.4
    assert np.std(pulls) == pytest.approx(expected, rel=4.0 / np.sqrt(2 * number))


def test_magnitudes_follow_from_fluxes(matched):
    catalog, truth = matched
    expected = 8.9 - 2.5 * np.log10(truth.flux)
    off = (catalog["aper_total_abmag"] - expected) / catalog["aper_total_abmag_err"]
    assert abs(np.median(off)) < 0.5
    offset = catalog.meta["abvega_offset"]
    np.testing.assert_allclose(
        catalog["aper_total_vegamag"], catalog["aper_total_abmag"] - offset, rtol=0, atol=1e-9
    )


def test_positions_and_stars(matched):
    catalog, truth = matched
    dx, dy = catalog["xcentroid"] - truth.x, catalog["ycentroid"] - truth.y
    for d in (dx, dy):
        assert abs(np.mean(d)) < 0.03 and np.std(d) < 0.2
    assert catalog["is_extended"].mean() < 0.05
    assert np.all(np.abs(catalog["aper70_flux"] / truth.flux / catalog["aper70_flux"].unit - 0.7) < 0.2)
