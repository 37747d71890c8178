"""``wfss_contam``: where light is put, how much of it, fits of shapes, and what is left of other sources."""

import json

import numpy as np
import pytest
from dispersed_cases import WFSS
from wfss_fields import RANGES, Field, write_fields

from webbcal import datamodels
from webbcal.core.box import Box
from webbcal.core.errors import InputError, MissingInputError, ParameterError
from webbcal.exposure.contamination.correction import Cleaning
from webbcal.exposure.contamination.simulation import Sampling, Simulated, simulate
from webbcal.exposure.contamination.source_pixels import SourcePixels, source_pixels
from webbcal.exposure.contamination.spectral_shape import Fitting, fitted_shape
from webbcal.exposure.contamination.traces import Traces
from webbcal.exposure.contamination.wfss_contam import WfssContamStep
from webbcal.exposure.geometry.extract_2d import Extract2dStep
from webbcal.exposure.response.photom_spectra import Response
from webbcal.pipeline.spec2 import Spec2Pipeline
from webbcal.wcs import trees
from webbcal.wcs.grism_slits import grism_wcs
from webbcal.wcs.of_model import stored_wcs

NIRCAM, NIRISS, MIRI = (
    Field(WFSS[n], sources=count, with_rate=n == 4) for n, count in ((0, 3), (4, 12), (6, 40))
)
RNG = np.random.default_rng(4)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Write fields of three instruments; return the folder and CRDS's environment."""
    folder = tmp_path_factory.mktemp("fields")
    return folder, write_fields(folder, (NIRCAM, NIRISS, MIRI))


@pytest.fixture(autouse=True)
def folder(world, monkeypatch):
    """Return the folder of the exposures."""
    for key, value in world[1].items():
        monkeypatch.setenv(key, value)
    return world[0]


def wcs_of_field(folder, field):
    with datamodels.open(folder / field.exposure) as model:
        return grism_wcs(model)


@pytest.mark.parametrize("field", [NIRCAM, NIRISS, MIRI], ids=lambda field: field.case.instrument)
def test_traces_are_those_of_the_wcs(folder, field):
    """The accuracy that the module promises: 0.01 pixel, everywhere on the field."""
    wcs, (ny, nx) = wcs_of_field(folder, field), field.case.shape
    for order, limits in RANGES[field.case.instrument].items():
        traces = Traces(wcs, order, limits, (-150, nx + 150), (-150, ny + 150))
        for x0, y0 in RNG.uniform(-150, (nx + 150, ny + 150), (12, 2)):
            wavelengths = np.linspace(*limits, traces.steps_for((x0, y0), 2))
            laid = traces.laid(traces.at(wavelengths), np.array([x0]), np.array([y0]))
            found = (laid.weights @ laid.nodes)[:, 0].T
            same = (np.full(len(wavelengths), v) for v in (x0, y0))
            exact = wcs.between(
                "detector", "grism_detector", *same, wavelengths, np.full(len(wavelengths), order)
            )
            assert np.abs(found - exact[:2]).max() < 0.01


def flat_response():
    return Response(np.array([1.0, 20.0], np.float32), np.array([1e-3, 1e-3], np.float32))


def test_light_is_conserved_and_lies_on_the_trace(folder):
    wcs = wcs_of_field(folder, NIRISS)
    x, y = (n.ravel().astype(float) for n in np.meshgrid(np.arange(900, 909), np.arange(700, 705)))
    pixels = SourcePixels(np.full(x.size, 7), x, y, np.full(x.size, 2.0))
    limits = RANGES["NIRISS"][1]
    traces = Traces(wcs, 1, limits, (0, 2047), (0, 2047))
    made = {}
    for chunk in (10, 5000):
        (one,) = simulate(pixels, traces, flat_response(), 1, Sampling(2, chunk, 1), Box(0, 2048, 0, 2048), 1)
        made[chunk] = one
        samples = traces.steps_for((x[0], y[0]), 2)
        light = 2.0 * x.size * (limits[1] - limits[0]) / 1e-3 * samples / (samples - 1)
        assert one.image.sum() == pytest.approx(light, rel=1e-3)
    assert abs(made[10].image.sum() / made[5000].image.sum() - 1) < 1e-3
    one = made[5000]
    rows = np.arange(one.box.y0, one.box.y1) @ one.image.sum(axis=1) / one.image.sum()
    columns = np.arange(one.box.x0, one.box.x1) @ one.image.sum(axis=0) / one.image.sum()
    wavelengths = np.linspace(*limits, 200)
    middle = wcs.between(
        "detector", "grism_detector", np.full(200, 904.0), np.full(200, 702.0), wavelengths, np.ones(200)
    )
    assert abs(columns - middle[0].mean()) < 0.02 and abs(rows - middle[1].mean()) < 0.02


def test_sources_off_the_detector_leave_no_image(folder):
    traces = Traces(wcs_of_field(folder, NIRISS), 1, RANGES["NIRISS"][1], (-5000, 2047), (0, 2047))
    pixels = SourcePixels(np.array([1, 2]), np.array([-4000.0, 500]), np.array([10.0, 500]), np.ones(2))
    made = simulate(pixels, traces, flat_response(), 1, Sampling(2, 1, 0), Box(0, 2048, 0, 2048), 2)
    assert [s.label for s in made] == [2]


def test_pixels_of_a_turned_mosaic_are_where_they_were(folder):
    """jwst puts half a pixel of the mosaic on before, and takes half a pixel of the detector off after."""
    wcs = wcs_of_field(folder, NIRISS)
    names = [folder / f"{NIRISS.root}_{name}.fits" for name in ("i2d", "segm")]
    with datamodels.open(names[0]) as direct, datamodels.open(names[1]) as labels:
        plain = source_pixels(direct, labels, wcs)
        tree = stored_wcs(direct)
        n = direct.shape[0]
        for model in (direct, labels):
            model.data = np.ascontiguousarray(model.data[::-1, ::-1])
            model.meta.wcs = _turned(tree, n)
        turned = source_pixels(direct, labels, wcs)
    for label in np.unique(plain.label):
        a, b = (np.sort(p.x[p.label == label]) for p in (plain, turned))
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert plain.flux.sum() == pytest.approx(turned.flux.sum(), rel=1e-3)


def _turned(tree, n):
    """Return the WCS of a square mosaic turned by 180 degrees."""
    first, last = tree.value["steps"]
    turn = trees.affine([[-1, 0], [0, -1]], [n - 1, n - 1])
    transform = trees.bounded(trees.chain(turn, first.value["transform"]), ((-0.5, n - 0.5), (-0.5, n - 0.5)))
    return trees.wcs([(first.value["frame"], transform), (last.value["frame"], None)])


def test_finer_mosaics_have_as_much_light(folder):
    wcs = wcs_of_field(folder, MIRI)
    names = [folder / f"{MIRI.root}_{name}.fits" for name in ("i2d", "segm")]
    with datamodels.open(names[0]) as direct, datamodels.open(names[1]) as labels:
        plain = source_pixels(direct, labels, wcs).flux.sum()
        first, last = stored_wcs(direct).value["steps"]
        ny, nx = direct.shape
        finer = trees.both(
            trees.chain(trees.shift(-0.5), trees.scale(0.5)), trees.chain(trees.shift(-0.5), trees.scale(0.5))
        )
        transform = trees.bounded(
            trees.chain(finer, first.value["transform"]), ((-0.5, 2 * nx - 0.5), (-0.5, 2 * ny - 0.5))
        )
        for model in (direct, labels):
            model.data = np.repeat(np.repeat(model.data, 2, axis=0), 2, axis=1)
            model.meta.wcs = trees.wcs([(first.value["frame"], transform), (last.value["frame"], None)])
        assert source_pixels(direct, labels, wcs).flux.sum() == pytest.approx(plain, rel=0.02)


def test_maps_of_another_mosaic_are_refused(folder):
    wcs = wcs_of_field(folder, MIRI)
    names = [folder / f"{MIRI.root}_{name}.fits" for name in ("i2d", "segm")]
    with datamodels.open(names[0]) as direct, datamodels.open(names[1]) as labels:
        first, last = stored_wcs(labels).value["steps"]
        moved = trees.chain(trees.both(trees.shift(3.0), trees.shift(0.0)), first.value["transform"])
        frames = [
            (first.value["frame"], trees.bounded(moved, ((-0.5, 9.5), (-0.5, 9.5)))),
            (last.value["frame"], None),
        ]
        kept, labels.meta.wcs = stored_wcs(labels), trees.wcs(frames)
        with pytest.raises(InputError, match=r"3\.0 pixels apart"):
            source_pixels(direct, labels, wcs)
        labels.meta.wcs = kept
        labels.data = labels.data[:-2]
        with pytest.raises(InputError, match="give the map that was made of this image"):
            source_pixels(direct, labels, wcs)
        labels.data = np.zeros(direct.shape, np.int32)
        with pytest.raises(InputError, match="no pixel"):
            source_pixels(direct, labels, wcs)
        direct.data = np.full(direct.shape, np.nan, np.float32)
        with pytest.raises(InputError, match=r"i2d\.fits: the background of the direct image cannot be meas"):
            source_pixels(direct, labels, wcs)


def test_the_pipeline_looks_at_the_maps_first(folder, tmp_path, monkeypatch, caplog):
    """A map of another mosaic is refused before any work; where nothing uses it, there is a warning."""
    monkeypatch.chdir(folder)
    root = NIRISS.root
    with datamodels.open(f"{root}_segm.fits") as labels:
        first, last = stored_wcs(labels).value["steps"]
        moved = trees.chain(trees.both(trees.shift(30.0), trees.shift(0.0)), first.value["transform"])
        bounded = trees.bounded(moved, ((-0.5, 9.5), (-0.5, 9.5)))
        labels.meta.wcs = trees.wcs([(first.value["frame"], bounded), (last.value["frame"], None)])
        labels.save(tmp_path / "other_segm.fits")
    roles = {"science": NIRISS.rate, "sourcecat": f"{root}_cat.ecsv", "direct_image": f"{root}_i2d.fits"}
    roles["segmap"] = str(tmp_path / "other_segm.fits")
    members = [{"expname": name, "exptype": role} for role, name in roles.items()]
    path = folder / "other_asn.json"
    path.write_text(json.dumps({"asn_type": "spec2", "products": [{"name": "x", "members": members}]}))
    steps = {"wfss_contam": {"skip": False}}
    with pytest.raises(InputError, match=r"other_segm\.fits .* are 30\.0 pixels apart on the sky"):
        Spec2Pipeline.call(str(path), steps=steps)
    assert not list(tmp_path.glob("*_cal.fits"))
    Spec2Pipeline().plan(str(path))
    (told,) = [r.message for r in caplog.records if "30.0 pixels apart" in r.message]
    assert told.endswith("(nothing here needs them: wfss_contam is left out)")
    roles["segmap"] = "lost_segm.fits"
    members = [{"expname": name, "exptype": role} for role, name in roles.items()]
    path.write_text(json.dumps({"asn_type": "spec2", "products": [{"name": "x", "members": members}]}))
    with pytest.raises(MissingInputError, match=r"lost_segm\.fits does not exist"):
        Spec2Pipeline.call(str(path), steps=steps)
    path.unlink()


def test_a_catalogue_of_another_map_is_refused(folder):
    """The numbers are the same, the sources are not."""
    model = spectra(folder)
    for slit in model.slits:
        slit.source_xpos = 1031 - slit.source_xpos
    with pytest.raises(InputError, match=r"none of the \d+ sources of its catalogue"):
        WfssContamStep(skip=False).run(model)


def shapes(seed=3, noise=0.01):
    """Return planes of a spectrum with two polynomials, and data of a known sum of them."""
    rng = np.random.default_rng(seed)
    x = np.linspace(-1, 1, 60)
    profile = np.exp(-0.5 * np.linspace(-2, 2, 9) ** 2)[:, None]
    planes = np.stack(
        [profile * np.polynomial.legendre.legval(x, c) for c in ([1], [0, 1], [0, 0, 1])], axis=-1
    )
    truth = np.array([1.05, 0.4, -0.2])
    data = planes @ truth + rng.normal(0, noise, (9, 60))
    return planes.astype(np.float32), data.astype(np.float32), np.full((9, 60), noise, np.float32), truth


def test_shapes_are_found():
    planes, data, err, truth = shapes()
    dq = np.zeros(data.shape, np.uint32)
    data[3, 4], dq[3, 4] = 1e6, 1
    data[2, 2] = np.nan
    found = fitted_shape(data, err, dq, planes, Fitting(0.1, 0.1))
    np.testing.assert_allclose(found, truth, atol=0.01)
    sums = fitted_shape(data, err, dq, planes, Fitting(0.1, 0.1, across=0))
    np.testing.assert_allclose(sums, truth, atol=0.02)
    heavy = fitted_shape(data, err, dq, planes, Fitting(1e9, None))
    assert np.abs(heavy).max() < 0.01
    assert fitted_shape(data * 2, err, dq, planes, Fitting(0.1, 0.1)) is None
    assert fitted_shape(data, err * 0, dq, planes, Fitting(0.1, 0.1)) is None
    assert fitted_shape(data[:, :0], err[:, :0], dq[:, :0], planes[:, :0], Fitting(0.1, 0.1)) is None


def test_sums_do_not_mind_a_simulation_that_is_too_wide():
    planes, data, err, truth = shapes()
    wide = np.stack([planes, np.roll(planes, 1, axis=0), np.roll(planes, -1, axis=0)]).mean(axis=0)
    by_pixels = fitted_shape(data, err, None, wide, Fitting(0.1, None))
    by_sums = fitted_shape(data, err, None, wide, Fitting(0.1, None, across=0))
    assert abs(by_pixels[0] / truth[0] - 1) > 0.02 > 4 * abs(by_sums[0] / truth[0] - 1)


def two_spectra():
    """Return a product of two overlapping slits, their simulations, and the light of each."""
    planes, _, _, truth = shapes()
    boxes = Box(10, 19, 5, 65), Box(14, 23, 25, 85)
    simulated = [Simulated(n, 1, box, planes * (3.0 - n)) for n, box in enumerate(boxes, 1)]
    image = np.zeros((40, 100))
    light = []
    for s in simulated:
        own = np.zeros_like(image)
        own[s.box.slices] = s.planes @ truth
        light.append(own)
    model = datamodels.MultiSlitModel()
    for s in simulated:
        box = s.box.grow(1, Box(0, 40, 0, 100))
        slit = model.slits.item(
            data=sum(light)[box.slices].astype(np.float32), err=np.full(box.shape, 0.01, np.float32),
            source_id=s.label, xstart=box.x0 + 1, ystart=box.y0 + 1,
        )  # fmt: skip
        slit.meta.wcsinfo.spectral_order = 1
        model.slits.append(slit)
    return model, simulated, light


def test_contamination_is_subtracted():
    model, simulated, light = two_spectra()
    flat = Cleaning(model.slits, simulated, (40, 100))
    other = light[1][model.slits[0].corner[0] :][: model.slits[0].shape[0], 4:66]
    before = np.abs(flat.contamination(0) - other).max() / other.max()
    assert 0.1 < before < 0.6
    for _ in range(4):
        assert flat.fit_shapes(Fitting(0.0, 0.5)) == 2
    flat.finish()
    for slit, own in zip(model.slits, light, strict=True):
        y, x = slit.corner
        expected = own[y : y + slit.shape[0], x : x + slit.shape[1]]
        np.testing.assert_allclose(slit.data, expected, atol=0.02 * own.max())


def test_spectra_without_a_simulation_are_left_as_they_are(caplog):
    model, simulated, _ = two_spectra()
    before = model.slits[1].data.copy()
    cleaning = Cleaning(model.slits, simulated[:1], (40, 100))
    cleaning.finish()
    np.testing.assert_array_equal(model.slits[1].data, before)
    assert "is left as it is" in caplog.text


def test_boxes_wider_than_the_simulation_keep_their_light():
    """jwst loses as many rows of the source's own light as its box begins before it."""
    model, simulated, _ = two_spectra()
    cleaning = Cleaning(model.slits[:1], simulated[:1], (40, 100))
    assert np.abs(cleaning.contamination(0)).max() == 0


def spectra(folder, field=MIRI, **parameters):
    return Extract2dStep(**parameters).run(folder / field.exposure)


def test_step(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = spectra(folder)
    before = [slit.data.copy() for slit in model.slits]
    step = WfssContamStep(
        skip=False, save_simulated_image=True, save_contam_images=True, output_file="x.fits"
    )
    result = step.run(model)
    assert result.meta.cal_step.wfss_contam == "COMPLETE" and len(result.slits) == len(before)
    simul, contam, own = (
        datamodels.open(tmp_path / f"x_{s}.fits") for s in ("simul", "contam", "simul_slits")
    )
    assert simul.shape == (1024, 1032) and len(contam.slits) == len(before) >= len(own.slits)
    for slit, old, taken in zip(result.slits, before, contam.slits, strict=True):
        np.testing.assert_allclose(slit.data, old - taken.data, atol=1e-6)
        assert taken.source_id == slit.source_id and taken.corner == slit.corner
    assert max(np.abs(taken.data).max() for taken in contam.slits) > 0
    for model in (simul, contam, own):
        model.close()


def test_step_leaves_out(folder):
    model = spectra(folder)
    dark = WfssContamStep(skip=False, magnitude_limit=5.0).run(model)
    assert dark.meta.cal_step.wfss_contam == "SKIPPED"
    assert WfssContamStep(skip=False, orders=[4]).run(model).meta.cal_step.wfss_contam == "SKIPPED"
    with datamodels.open(folder / MIRI.exposure) as exposure:
        assert WfssContamStep(skip=False).run(exposure).meta.cal_step.wfss_contam == "SKIPPED"
    with pytest.raises(ParameterError, match="maximum_cores"):
        WfssContamStep(skip=False, maximum_cores="many").run(model)
