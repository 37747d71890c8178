"""webbcal report: what pages show, that they stand alone, and that headers cannot put anything into them."""

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from stage2_cases import rate

from webbcal import datamodels, simulate
from webbcal.cli.main import main
from webbcal.core import dqflags
from webbcal.plots.inputs import means, read_plane
from webbcal.report.pages import page
from webbcal.report.pages.family import families_in, family_of, split_name
from webbcal.report.pages.flags import counts_of
from webbcal.report.pages.histograms import pulls_of_neighbours
from webbcal.report.pages.members import Coarse
from webbcal.report.pages.overlaps import overlaps_of
from webbcal.report.pages.ramps import chosen
from webbcal.report.pages.reduced import limits, shaded
from webbcal.report.pages.stars import centroid
from webbcal.report.pages.writing import write_reports

ROOT = "jw01234001001_02101_00001_nrcb1"
_EMPTY = {"img", "meta", "br", "input"}


class Reader(HTMLParser):
    """Reads a page: elements are closed as they were opened; keeps texts, attributes and names."""

    def __init__(self, text):
        super().__init__()
        self.opened, self.names, self.attributes, self.texts = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.opened

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in _EMPTY:
            self.opened.append(tag)

    def handle_endtag(self, tag):
        assert self.opened.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def sections(self):
        return [value for tag, name, value in self.attributes if tag == "section" and name == "id"]

    @property
    def addresses(self):
        return [value for _, name, value in self.attributes if name in ("src", "href", "srcset", "action")]


def read(path):
    """Read a page; it is small and refers to nothing outside."""
    text = Path(path).read_text("utf-8")
    assert len(text.encode()) < page.MOST_BYTES
    reader = Reader(text)
    assert all(
        a.startswith(("#", "data:image/")) or re.fullmatch(r"[\w%.-]+\.html", a) for a in reader.addresses
    )
    assert reader.names.count("script") == 1
    return reader


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """The products of two dithered exposures, from raw data to a mosaic, and the pages of the run."""
    folder = tmp_path_factory.mktemp("field")
    configs = simulate.field("nircam", "SUB160")[:2]
    options = simulate.ReferenceOptions(subarray_only=True, grouped_dark=True)
    world = simulate.universe(folder, configs, options)
    simulate.star_catalog(configs).write(folder / "stars.ecsv")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in world.environment.items():
            patch.setenv(name, value)
        words = ["--product-name=field", f"--image3.tweakreg.abs_refcat={folder / 'stars.ecsv'}", "--report"]
        words += ["--detector1.save_calibrated_ramp=true", f"--output_dir={folder}"]
        assert main(["mosaic", *map(str, world.uncal), *words]) == 0
    return folder


def test_page_of_a_mosaic(field):
    reader = read(field / "field_report.html")
    assert reader.sections[:4] == ["exposure", "images", "processing", "members"]
    texts = " ".join(reader.texts)
    for word in ("tweakreg", "moved by", "residual", "pairs of exposures", "source_catalog", "sha256",
                 "abs_refcat", "user", "webbcal run calwebb_image3"):  # fmt: skip
        assert word in texts, word


def test_page_of_an_exposure(field):
    path = next(field.glob("*_00001_*_report.html"))
    reader = read(path)
    assert reader.sections == ["exposure", "images", "processing", "ramps", "flags", "histograms",
                               "parameters", "references"]  # fmt: skip
    texts = " ".join(reader.texts)
    for word in ("_uncal: raw", "_rate: count rates", "_cal: calibrated", "_crf: outliers flagged",
                 "JUMP_DET", "skipped", "peak memory", "read pattern"):  # fmt: skip
        assert word in texts, word
    kinds = {a.split(";")[0] for a in reader.addresses if a.startswith("data:")}
    assert kinds == {"data:image/jpeg", "data:image/png", "data:image/svg+xml"}


def test_index_of_a_folder(tmp_path, capsys):
    for name in ("one_rate", "one_cal", "two_cal"):
        rate().save(tmp_path / f"{name}.fits")
    assert main(["report", str(tmp_path), f"--output_dir={tmp_path}/pages"]) == 0
    written = capsys.readouterr().out.split()
    assert [Path(w).name for w in written] == ["index.html", "one.html", "two.html"]
    index = read(written[0])
    assert [a for a in index.addresses if a.endswith(".html")] == ["one.html", "two.html"]
    assert "rate, cal" in " ".join(index.texts)
    assert "index.html" in read(written[1]).addresses


EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def test_headers_are_text(tmp_path):
    model = rate()
    model.meta.target.catalog_name = model.meta.program.title = EVIL
    model.meta.bunit_data = "</svg>$\\frac{$<b>"
    parameters = {EVIL: {"value": EVIL, "origin": EVIL}}
    step = {"step": EVIL, "status": "COMPLETE", "reason": EVIL, "parameters": parameters,
            "results": {EVIL: EVIL}, "references": {EVIL: {"name": EVIL, "sha256": EVIL}}}  # fmt: skip
    call = {"target": EVIL, "inputs": [{"file": EVIL}], "parameters": parameters}
    run = {"software": EVIL, "date": EVIL, "crds_context": EVIL, "libraries": {EVIL: EVIL}, "call": call}
    model.meta.run_record = [{**run, "steps": [step]}]
    path = tmp_path / "a&<b>_rate.fits"
    model.save(path)
    (made,) = write_reports([path])
    reader = read(made)
    assert EVIL in " ".join(reader.texts)
    assert not any(name.startswith("on") for _, name, _ in reader.attributes)
    assert not any(value == "x" for _, _, value in reader.attributes)
    index = write_reports([tmp_path])[0]
    assert not any(name.startswith("on") for _, name, _ in read(index).attributes)


def test_a_policy_allows_no_other_script(tmp_path):
    rate().save(tmp_path / "x_rate.fits")
    (made,) = write_reports([tmp_path / "x_rate.fits"])
    policy = next(
        v for t, n, v in read(made).attributes if (t, n) == ("meta", "content") and "script-src" in v
    )
    assert "default-src 'none'" in policy and "unsafe-eval" not in policy
    assert "script-src 'unsafe" not in policy


def test_a_file_of_jwst_has_a_page(tmp_path):
    model = rate()
    model.meta.cal_step.jump, model.meta.cal_step.ipc = "COMPLETE", "SKIPPED"
    model.meta.ref_file.gain.name = "crds://jwst_nircam_gain_0056.fits"
    model.save(tmp_path / "x_rate.fits")
    (made,) = write_reports([tmp_path / "x_rate.fits"])
    reader = read(made)
    texts = " ".join(reader.texts)
    assert "no run record" in texts and "jwst_nircam_gain_0056.fits" in texts and "skipped" in texts
    assert reader.sections == ["exposure", "images", "processing", "flags", "histograms", "references"]


def test_what_is_odd_still_has_a_page(tmp_path):
    empty = datamodels.ImageModel()
    empty.save(tmp_path / "empty_cal.fits")
    nothing = rate()
    nothing.data[:] = np.nan
    nothing.save(tmp_path / "nothing_cal.fits")
    thin = rate()
    for name in ("data", "err", "dq", "var_poisson", "var_rnoise"):
        setattr(thin, name, getattr(thin, name)[:, :1])
    thin.save(tmp_path / "thin_cal.fits")
    (tmp_path / "broken_cal.fits").write_bytes(b"SIMPLE  = nonsense")
    index, *pages = write_reports([tmp_path])
    assert {p.stem for p in pages} == {"empty", "nothing", "thin"} and all(map(read, [index, *pages]))
    assert "1 file that cannot be read" in index.read_text() and "broken_cal.fits" in index.read_text()
    assert main(["report", str(tmp_path / "broken_cal.fits")]) == 1


def test_odd_words_of_report(tmp_path, capsys):
    assert main(["report"]) == 2 and main(["report", "--help"]) == 0
    assert main(["report", str(tmp_path)]) == 1 and main(["report", "missing_rate.fits"]) == 1
    assert main(["report", str(tmp_path), "--output=x"]) == 2
    err = capsys.readouterr().err
    assert "has no products" in err and "there is no such file" in err and "did you mean" in err


def test_spectra_are_drawn(tmp_path):
    model = datamodels.MultiSpecModel()
    table = np.zeros(50, datamodels.SpecModel().get_dtype("spec_table"))
    table["WAVELENGTH"], table["FLUX"] = np.linspace(5, 12, 50), np.linspace(1, 2, 50)
    model.spec.append(model.spec.item(spec_table=table))
    model.meta.instrument.name = "MIRI"
    model.save(tmp_path / "star_x1d.fits")
    (made,) = write_reports([tmp_path / "star_x1d.fits"])
    assert "spectra" in read(made).sections


# ---------------------------------------------------------------- parts
def test_names_are_split():
    assert split_name(Path("jw1_nrca1_rateints.fits")) == ("jw1_nrca1", "rateints")
    assert split_name(Path("field_segm.fits")) == ("field", "segm")
    assert split_name(Path("image.fits")) == ("image", "")


def test_families(tmp_path):
    for name in ("a_rate", "a_cal", "a_c1001_crf", "b_x1d", "reference"):
        rate().save(tmp_path / f"{name}.fits")
    found = {family.root: list(family.products) for family in families_in(tmp_path)}
    assert found == {"a": ["rate", "cal", "crf"], "b": ["x1d"]}
    assert family_of(tmp_path / "reference.fits").root == "reference"
    assert family_of(tmp_path / "a_rate.fits").main.path.name == "a_c1001_crf.fits"


def test_images_are_averaged_in_bands():
    image = np.arange(30, dtype=np.float32).reshape(5, 6)
    image[0, 0] = np.nan
    expected = [[(1 + 6 + 7) / 3, 5.5, 7.5], [15.5, 17.5, 19.5], [24.5, 26.5, 28.5]]
    np.testing.assert_allclose(means(image, 2), expected)
    model = datamodels.ImageModel(data=image)
    np.testing.assert_allclose(read_plane(model.source("data"), (), 3)[0], expected)


@pytest.mark.parametrize("image", [np.full((4, 4), np.nan), np.zeros((4, 4)), np.full((4, 4), -3.0)])
def test_stretch_of_images_without_contrast(image):
    black, sky, white = limits(image)
    assert black <= sky < white
    assert shaded(image.astype(np.float32)).dtype == np.uint8


def test_flags_are_counted():
    array = np.zeros((40, 30), np.uint32)
    array[:2] = dqflags.pixel["JUMP_DET"] | dqflags.pixel["DO_NOT_USE"]
    array[2, 0] = dqflags.pixel["REFERENCE_PIXEL"]
    model = datamodels.ImageModel(dq=array)
    assert counts_of(model.source("dq")) == {
        "GOOD": 1139, "JUMP_DET": 60, "DO_NOT_USE": 60, "REFERENCE_PIXEL": 1,
    }  # fmt: skip


def test_pixels_of_ramps_are_telling():
    image = np.arange(100.0).reshape(10, 10)
    array = np.zeros((10, 10), np.uint32)
    array[9, 9] = dqflags.pixel["SATURATED"]
    array[5, 5] = dqflags.pixel["JUMP_DET"]
    array[9, 8] = dqflags.pixel["DO_NOT_USE"]
    found = chosen(image, array)
    assert found == chosen(image, array)
    assert ("a jump", 5, 5) in found and ("saturated", 9, 9) in found and ("the brightest", 9, 7) in found
    assert len({(y, x) for _, y, x in found}) == len(found)
    assert chosen(np.full((3, 3), np.nan), np.zeros((3, 3), np.uint32)) == []


def test_noise_of_neighbours_is_that_of_the_errors():
    noise = np.random.default_rng(1).normal(5.0, 0.2, (200, 200))
    pulls = pulls_of_neighbours(noise, np.full((200, 200), 0.2))
    assert np.std(pulls) == pytest.approx(1.0, abs=0.02)
    assert pulls_of_neighbours(noise, None) is None


class _Plane:
    """A WCS of a flat sky, a unit a pixel."""

    def __init__(self, x0, y0):
        self.x0, self.y0 = x0, y0

    def __call__(self, x, y):
        return np.asarray(x) + self.x0, np.asarray(y) + self.y0

    def invert(self, ra, dec, with_bounding_box=True):
        return np.asarray(ra) - self.x0, np.asarray(dec) - self.y0


def test_sky_differences_in_overlaps():
    random = np.random.default_rng(2)
    image = lambda level: (level + random.normal(0, 0.1, (40, 40))).astype(np.float32)  # noqa: E731
    one, other = Coarse(image(2.0), 4, _Plane(0, 0), "u"), Coarse(image(1.5), 4, _Plane(80, -40), "u")
    far, odd = Coarse(image(1.0), 4, _Plane(1000, 0), "u"), Coarse(image(1.0), 4, _Plane(0, 0), "v")
    (found,) = overlaps_of([one, other, None, far, odd])
    assert (found.first, found.second, found.blocks) == (0, 1, 20 * 30)
    assert found.difference == pytest.approx(0.5, abs=4 * found.error)
    assert found.error == pytest.approx(1.2533 * 0.1 * np.sqrt(2 / 600), rel=0.2)


@pytest.mark.parametrize("sigma", [0.9, 1.2, 1.6])
def test_centroids(sigma):
    y, x = np.mgrid[-4:5, -4:5]
    star = np.exp(-0.5 * ((x - 0.31) ** 2 + (y + 0.42) ** 2) / sigma**2)
    assert centroid(star) == pytest.approx((0.31, -0.42), abs=0.005)
    assert centroid(np.zeros((9, 9))) is None
    assert centroid(np.where(x == 4, 1.0, 0.0)) is None


def test_large_pages_get_smaller_images(tmp_path, monkeypatch):
    model = rate()
    for name in ("data", "err", "var_poisson", "var_rnoise"):
        noise = np.random.default_rng(3).normal(10, 1, (400, 400))
        setattr(model, name, noise.astype(np.float32))
    model.dq = np.zeros((400, 400), np.uint32)
    model.save(tmp_path / "x_rate.fits")
    family = family_of(tmp_path / "x_rate.fits")
    whole = page.page(family)
    monkeypatch.setattr(page, "MOST_BYTES", len(whole) - 1)
    assert len(page.page(family)) < len(whole)
    assert base64.b64encode(b"\xff\xd8\xff").decode() in whole
