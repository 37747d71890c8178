"""Sources that several images show: once in all catalogues, at the mean of their positions."""

import numpy as np
from astropy.table import Table
from sky_scenes import DITHERS, ROLL, SIZE, stars, wcs_at

from webbcal.combine.alignment.common_sources import once_each

POINTINGS = [wcs_at(east, north, ROLL) for east, north in DITHERS]


def catalogs(scatter, seed=3):
    """Return the positions of the stars on each image, which scatter by some pixels."""
    rng = np.random.default_rng(seed)
    ra, dec, _ = stars()
    tables = []
    for wcs in POINTINGS:
        x, y = wcs.invert(ra, dec, with_bounding_box=False)
        inside = (x > 0) & (x < SIZE) & (y > 0) & (y < SIZE)
        number = np.flatnonzero(inside)
        x, y = (v[inside] + scatter * rng.standard_normal(len(number)) for v in (x, y))
        tables.append(Table({"x": x, "y": y, "star": number}))
    return tables


def errors(tables):
    """Return the star and the offsets (pixels) of all listed positions, each in the frame of its image."""
    ra, dec, _ = stars()
    number = np.concatenate([t["star"] for t in tables])
    off = [np.array([t["x"], t["y"]]) - w.invert(ra[t["star"]], dec[t["star"]], with_bounding_box=False)
           for t, w in zip(tables, POINTINGS, strict=True) if len(t)]  # fmt: skip
    return number, np.concatenate(off, axis=1)


def test_each_star_is_listed_once_at_its_mean_position():
    tables = catalogs(0.05)
    before = [t.copy() for t in tables]
    number, off = errors(once_each(tables, POINTINGS))
    assert sorted(number) == sorted(set(np.concatenate([t["star"] for t in tables])))
    images = np.bincount(np.concatenate([t["star"] for t in tables]))[number]
    assert (images == 4).sum() > 30
    assert abs(off.mean()) < 4 * 0.05 / 2 / np.sqrt(off.size)
    np.testing.assert_allclose(off[:, images == 4].std(), 0.05 / 2, rtol=0.25)
    for table, same in zip(tables, before, strict=True):
        assert (table["x"] == same["x"]).all() and len(table) == len(same)


def test_what_only_one_image_shows_is_left_as_it_is():
    tables = catalogs(0.0)
    alone = once_each(tables[:1], POINTINGS[:1])[0]
    np.testing.assert_array_equal(alone["x"], tables[0]["x"])
    apart = [t[t["star"] % 4 == k] for k, t in enumerate(tables)]
    for table, same in zip(once_each(apart, POINTINGS), apart, strict=True):
        np.testing.assert_array_equal(table["y"], same["y"])


def test_no_sources_and_positions_that_are_not_finite():
    empty = Table({"x": np.zeros(0), "y": np.zeros(0)})
    assert [len(t) for t in once_each([empty, empty], POINTINGS[:2])] == [0, 0]
    table = catalogs(0.0)[0]
    table["x"][3] = np.nan
    first, second = once_each([table, table], [POINTINGS[0]] * 2)
    assert len(first) == len(table) and len(second) == 1 and np.isnan(second["x"][0])
