import numpy as np
import pytest

from webbcal.core.errors import ParameterError
from webbcal.simulate.geometry import Pointing, find_aperture
from webbcal.simulate.optics import Galaxy, add_galaxy, add_stars, find_filter, sersic_gaussians
from webbcal.simulate.scene import Sky, observe


def star(x, y, sigma=1.0, shape=(301, 301)):
    image = np.zeros(shape)
    add_stars(image, np.array([x]), np.array([y]), np.array([1000.0]), sigma)
    return image


@pytest.mark.parametrize("sigma", [0.4, 1.0, 1.9])
def test_a_star_keeps_its_flux_and_position(sigma):
    image = star(150.3, 149.8, sigma)
    y, x = np.mgrid[0:301, 0:301]
    # 5 sigma of the widest wing may reach over the edge of the image, or be cut asymmetrically by a pixel
    assert image.sum() == pytest.approx(1000.0, rel=5e-5)
    assert (image * x).sum() / image.sum() == pytest.approx(150.3, abs=0.02)
    assert (image * y).sum() / image.sum() == pytest.approx(149.8, abs=0.02)


def test_a_star_on_the_corner_leaves_a_quarter_of_its_flux():
    assert star(-0.5, -0.5).sum() == pytest.approx(250.0, rel=1e-5)


def test_a_star_beyond_reach_leaves_nothing():
    assert star(-200.0, 50.0).sum() == 0.0


@pytest.mark.parametrize("index", [1.0, 3.0])
def test_the_expansion_of_a_galaxy_profile_holds_half_the_light_in_its_effective_radius(index):
    share = sum(w * (1 - np.exp(-0.5 / s**2)) for w, s in sersic_gaussians(index))
    # light beyond eight effective radii is given up, so the steep profile is a little more concentrated
    assert share == pytest.approx(0.5, abs=0.04)
    assert sum(w for w, _ in sersic_gaussians(index)) == pytest.approx(1.0, abs=5e-3)


def test_a_galaxy_keeps_its_flux_and_lies_along_its_angle():
    image = np.zeros((401, 401))
    add_galaxy(image, Galaxy(200.0, 200.0, 500.0, 10.0, 0.4, np.radians(30.0)), 1.0)
    y, x = np.mgrid[-200:201, -200:201]
    assert image.sum() == pytest.approx(500.0, rel=5e-3)
    core = image * (np.hypot(x, y) < 40)
    angle = 0.5 * np.arctan2(2 * (core * x * y).sum(), (core * (x * x - y * y)).sum())
    assert np.degrees(angle) == pytest.approx(30.0, abs=0.5)


def test_zero_points_are_near_those_of_the_instrument():
    # in flight one e-/s is close to AB 28 in the wide bands of NIRCam
    for name in ("F150W", "F200W", "F277W", "F356W", "F444W"):
        assert 2.5 * np.log10(find_filter("NIRCAM", name).zero_point) == pytest.approx(28.0, abs=0.4)
    assert find_filter("NIRCAM", "F444W").electrons_from_abmag(28.0) == pytest.approx(1.0, rel=0.1)


def test_narrow_bands_name_both_wheels():
    assert find_filter("NIRCAM", "F405N").wheels == ("F444W", "F405N")
    assert find_filter("NIRISS", "F200W").wheels == ("CLEAR", "F200W")
    assert find_filter("NIRISS", "F444W").wheels == ("F444W", "CLEARP")
    with pytest.raises(ParameterError, match="F123W"):
        find_filter("NIRCAM", "F123W")


def test_different_views_see_the_same_sources():
    sky = Sky(stars=400.0)
    wide = sky.sources_near(np.array([53.15, 53.17]), np.array([-27.80, -27.78]))
    small = sky.sources_near(np.array([53.158, 53.162]), np.array([-27.791, -27.789]))
    assert len(wide) > len(small) > 10
    assert np.isin(small["id"], wide["id"]).all()
    both = wide[np.isin(wide["id"], small["id"])]
    np.testing.assert_array_equal(np.sort(both, order="id"), np.sort(small, order="id"))
    assert len(np.unique(wide["id"])) == len(wide)


def test_the_seed_changes_the_sky():
    corners = np.array([53.15, 53.17]), np.array([-27.80, -27.78])
    assert not np.array_equal(
        Sky(seed=1).sources_near(*corners)["ra"][:5], Sky().sources_near(*corners)["ra"][:5]
    )


def test_counts_follow_the_density_and_the_slope():
    sky = Sky(stars=3000.0, galaxies=0.0, bright=20.0, faint=25.0, star_slope=0.3)
    sources = sky.sources_near(np.array([53.10, 53.22]), np.array([-27.84, -27.74]))
    area = (np.ptp(sources["ra"]) * np.cos(np.radians(27.79)) * np.ptp(sources["dec"])) * 3600
    assert len(sources) == pytest.approx(3000 * area, rel=0.03)
    assert sources["abmag"].min() >= 20.0 and sources["abmag"].max() <= 25.0
    counts, _ = np.histogram(sources["abmag"], bins=[22, 23, 24, 25])
    slopes = np.log10(counts[1:] / counts[:-1])
    np.testing.assert_allclose(slopes, 0.3, atol=0.03)


def test_observing_puts_the_light_where_the_table_says():
    sky = Sky(stars=2e4, galaxies=0.0, bright=18.0, faint=20.0, background=0.0)
    pointing = Pointing(find_aperture("NRCALONG", "SUB160"), 53.16, -27.79, 41.0)
    band = find_filter("NIRCAM", "F444W")
    image, table = observe(sky, sky.sources_near(*pointing.footprint()), pointing, band)
    inside = (np.abs(table["x"] - 79.5) < 79) & (np.abs(table["y"] - 79.5) < 79)
    brightest = table[inside][np.argmax(table[inside]["rate"])]
    peak = image[round(brightest["y"]), round(brightest["x"])]
    assert peak > 0.9 * image.max() * 0.5 and peak > 0.08 * brightest["rate"]
    assert image.sum() == pytest.approx(table[inside]["rate"].sum(), rel=0.15)


def test_an_empty_sky_is_uniform_at_its_surface_brightness():
    sky = Sky(stars=0.0, galaxies=0.0, background=0.3)
    pointing = Pointing(find_aperture("NRCALONG", "SUB64P"), 53.16, -27.79, 41.0)
    band = find_filter("NIRCAM", "F444W")
    image, table = observe(sky, sky.sources_near(*pointing.footprint()), pointing, band)
    # pixels that see more sky collect more of it
    areas = pointing.aperture.pixel_areas
    assert len(table) == 0 and np.ptp(image / areas) / image[0, 0] < 1e-4
    # one pixel at 0.3 MJy/sr is a source of 2.8e-8 Jy
    jansky = 0.3e6 * (0.0627 / 206264.8) ** 2
    expected = band.electrons_from_abmag(-2.5 * np.log10(jansky / 3631.0))
    assert image[0, 0] == pytest.approx(expected, rel=0.02)
