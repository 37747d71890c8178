"""What integrations of a series have in common, faint light, and parameters by an image's look."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from webbcal import datamodels
from webbcal.core.errors import FailedStep, ParameterError
from webbcal.detector.clean_flicker_noise import CleanFlickerNoiseStep
from webbcal.detector.draft_rate import Draft
from webbcal.detector.faint_light import without_faint_light
from webbcal.detector.flicker_autoparam import Limits, Look, decide
from webbcal.detector.series_light import Aperture, light_curve, references_of
from webbcal.detector.series_template import SeriesTemplate, check_series
from webbcal.simulate.soss import Soss


def test_a_template_is_scaled_to_each_integration() -> None:
    ramp = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    template = SeriesTemplate(ramp, np.array([1.0, 0.5]))
    np.testing.assert_array_equal(template.of(1, 1), [[2.0, 2.5], [3.0, 3.5]])


@pytest.mark.parametrize(
    "shape, method",
    [
        ((1, 5, 4, 4), "median_image"),
        ((1, 5, 4, 4), "scaled_mean"),
        ((1, 4, 4), "median_image"),
        ((4, 4), "scaled_mean"),
    ],
)
def test_what_is_no_series(shape: tuple[int, ...], method: str) -> None:
    exposure: Any = SimpleNamespace(nints=shape[0], shape=shape)
    with pytest.raises(FailedStep):
        check_series(exposure, method)
    check_series(exposure, "median")
    exposure.nints, exposure.shape = 2, (2, 4, 4)
    check_series(exposure, method)


@pytest.mark.parametrize("method", ["scaled_mean", "median_image"])
def test_rates_of_a_series_lose_their_stripes(crds: Any, method: str) -> None:
    with datamodels.open(crds.uncal[0]) as raw:
        rates = datamodels.CubeModel()
        rates.update(raw)
    rng = np.random.default_rng(1)
    star = np.full((64, 64), 300.0)
    star[20:30, 20:30] = 800.0
    clean = np.array([1.0, 0.99, 1.01])[:, None, None] * star + rng.normal(0, 1, (3, 64, 64))
    stripes = rng.normal(0, 10, (3, 64, 1))
    rates.data = (clean + stripes).astype(np.float32)
    step = CleanFlickerNoiseStep(background_method=method, save_results=True, save_background=True)
    found = step.run(rates)
    left = np.median(np.asarray(found.data) - clean, axis=2)
    left -= left.mean(axis=0)
    left -= np.median(left, axis=-1, keepdims=True)
    assert np.median(np.abs(left)) < 0.3 < np.median(np.abs(stripes - stripes.mean(axis=0)))


class Cube:
    """Rates of integrations that are all there, and what a survey says of them."""

    ints = range(6)

    def __init__(self, data: np.ndarray) -> None:
        self.data = data.astype(np.float32)

    def rate(self, integration: int) -> Draft:
        image = self.data[integration]
        return Draft(image, np.zeros(image.shape, np.uint32))

    def map(self, work: Any, items: Any) -> list[Any]:
        return [work(item) for item in items]


def series(kind: str, **known: Any) -> Any:
    known = {"wcsinfo.siaf_xref_sci": 30.0, "wcsinfo.siaf_yref_sci": 33.0} | known
    return SimpleNamespace(exp_type=kind, nints=6, subarray="SUB64", known=known.get)


def star(light: np.ndarray) -> Cube:
    """A star beside its planned place, on a background that changes as if by chance."""
    y, x = np.indices((64, 64))
    psf = np.exp(-((y - 35) ** 2 + (x - 27) ** 2) / (2 * 1.2**2))
    rng = np.random.default_rng(4)
    level = rng.normal(0, 5.0, (6, 1, 1))
    return Cube(1000 * light[:, None, None] * psf + level + rng.normal(0, 0.1, (6, 64, 64)))


LIGHT = np.array([1.0, 1.0, 0.9, 0.7, 0.9, 1.0])


@pytest.mark.parametrize("kind, known", [("NRC_TSIMAGE", {}), ("MIR_IMAGE", {"visit.tsovisit": True})])
def test_light_of_images_is_that_of_the_star(kind: str, known: dict[str, Any]) -> None:
    cube = star(LIGHT)
    gain = SimpleNamespace(read=lambda array: np.full((64, 64), 2.0, np.float32))
    exposure = series(kind, **known)
    assert references_of(exposure) == ("gain", "pars-tsophotometrystep")
    found = light_curve(exposure, {"gain": gain}, cube, cube, lambda draft: draft.data < 50)
    level = np.median(cube.data, axis=(1, 2))  # apertures hold their background
    found -= 2 * level * np.pi * 9
    np.testing.assert_allclose(found / found[0], LIGHT, atol=2e-3)


def test_light_of_other_spectra_is_that_of_all_lit_pixels() -> None:
    cube = star(LIGHT)
    cube.data -= np.median(cube.data, axis=(1, 2), keepdims=True)
    found = light_curve(series("NRC_TSGRISM"), {}, cube, cube, lambda draft: draft.data < 50)
    np.testing.assert_allclose(found / found[0], LIGHT, atol=2e-3)
    median = light_curve(series("MIR_IMAGE"), {}, cube, cube, lambda draft: draft.data < 50)
    np.testing.assert_allclose(median, np.median(cube.data, axis=(1, 2)), atol=1e-6)


def test_without_a_place_of_the_source_there_is_no_aperture() -> None:
    cube, gain = star(LIGHT), SimpleNamespace(read=lambda array: np.ones((64, 64), np.float32))
    exposure = series("NRC_TSIMAGE", **{"wcsinfo.siaf_xref_sci": None})
    with pytest.raises(FailedStep, match="XREF_SCI"):
        light_curve(exposure, {"gain": gain}, cube, cube, lambda draft: draft.data < 50)


def test_crds_says_how_large_the_aperture_is() -> None:
    parameters = SimpleNamespace(model=SimpleNamespace(parameters={"radius": 5.5, "save_results": True}))
    assert Aperture.of(parameters) == Aperture(radius=5.5)
    assert Aperture.of(None) == Aperture()


def test_the_plan_counts_the_template_and_the_work_on_it(crds: Any) -> None:
    with datamodels.open(crds.uncal[0]) as raw:
        ramp = datamodels.RampModel(raw)
    nints, ngroups, ny, nx = ramp.data.shape
    plain, series = (
        CleanFlickerNoiseStep(background_method=method).plan(ramp) for method in ("median", "scaled_mean")
    )
    assert series.memory - plain.memory == series.threads * ny * nx * (4 + 8 * 4 * nints) * ngroups


@pytest.mark.parametrize("baseline", [None, [1, 1]])
@pytest.mark.parametrize("method", ["scaled_mean", "median_image"])
def test_a_series_loses_its_stripes(crds: Any, method: str, baseline: list[int] | None) -> None:
    """The step on ramps of one image in which each group has stripes of its own."""
    with datamodels.open(crds.uncal[0]) as raw:
        ramp = datamodels.RampModel(raw)
    rng = np.random.default_rng(1)
    nints, ngroups, ny, nx = ramp.data.shape
    star = np.full((ny, nx), 300.0)
    star[20:30, 20:30] = 800.0
    steps = np.arange(1, ngroups + 1)[:, None, None]
    clean = np.array([1.0, 0.99])[:nints, None, None, None] * star * steps + rng.normal(0, 1, ramp.data.shape)
    stripes = rng.normal(0, 10, (nints, ngroups, ny, 1))
    ramp.data = (clean + stripes).astype(np.float32)
    found = CleanFlickerNoiseStep(background_method=method, baseline_ints=baseline).run(ramp)
    left = np.median(np.asarray(found.data) - clean, axis=3)
    left -= left.mean(axis=0)  # what the integrations have in common stays
    left -= np.median(left, axis=-1, keepdims=True)  # so does an offset of all rows: light is scaled
    assert np.median(np.abs(left)) < 0.3 < np.median(np.abs(stripes - stripes.mean(axis=0)))


def test_a_baseline_that_does_not_fit_is_no_baseline(crds: Any) -> None:
    with datamodels.open(crds.uncal[0]) as raw:
        ramp = datamodels.RampModel(raw)
    found = CleanFlickerNoiseStep(background_method="scaled_mean", baseline_ints=[5, 5]).run(ramp)
    assert found.meta.cal_step.clean_flicker_noise == "FAILED"


def test_wings_that_no_pixel_shows_are_masked() -> None:
    rng = np.random.default_rng(3)
    y, x = np.indices((160, 160))
    wings = 0.7 * np.exp(-(((y - 80) ** 2 + (x - 80) ** 2) / (2 * 20.0**2)))
    image = (rng.normal(0, 1, y.shape) + wings + rng.normal(0, 2, (160, 1))).astype(np.float32)
    image[3, 4] = np.nan
    mask = without_faint_light(image, np.ones(image.shape, bool), axis=1)
    far = np.hypot(y - 80, x - 80) > 60
    assert not mask[3, 4]
    assert mask[wings > 0.5].mean() < 0.1 and mask[far].mean() > 0.8
    none = np.zeros(image.shape, bool)
    assert not without_faint_light(image, none, axis=1).any()


@pytest.mark.parametrize(
    "look, chosen",
    [
        ((0.01, 0.10, 0.0, 9.0, 0.0), ("median", True)),  # amplifiers differ
        ((0.50, 0.10, 1e-3, 9.0, 0.0), ("model", False)),  # crowded, uneven, steep
        ((0.50, 0.10, 5e-5, 9.0, 0.0), ("median", False)),
        ((0.50, 0.01, 5e-5, 9.0, 0.0), ("model", False)),
        ((0.50, 0.01, 1e-6, 9.0, 0.0), ("median", False)),
        ((0.01, 0.01, 1e-3, 9.0, 0.0), ("model", False)),  # very steep
        ((0.01, 0.01, 5e-5, 2.0, 0.0), ("model", False)),  # steep along both axes
        ((0.01, 0.01, 5e-5, 9.0, 0.5), ("median", True)),  # uneven profile
        ((0.01, 0.00, 1e-6, 9.0, 0.5), ("median", False)),  # a subarray
    ],
)
def test_parameters_by_the_look_of_an_image(look: tuple[float, ...], chosen: tuple[str, bool]) -> None:
    assert decide(Look(*look), Limits(masked=0.07, steep_between_channels=1e-4, slope_ratio=5.0)) == chosen


def test_the_light_curve_of_a_transit() -> None:
    planet = Soss(duration=0.4, ingress=0.1, middle=0.5)
    np.testing.assert_allclose(
        planet.curve(np.array([0.2, 0.3, 0.35, 0.4, 0.5, 0.65, 0.8])), [0, 0, 0.5, 1, 1, 0.5, 0]
    )
    with pytest.raises(ParameterError):
        Soss(ingress=0.3, duration=0.4)
