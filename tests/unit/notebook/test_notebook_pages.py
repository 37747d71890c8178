"""What a notebook shows of models, steps and runs: complete, escaped, and bounded in size and cost."""

import base64
import io
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from plot_cases import image, ramp, slits, spectrum

from webbcal import datamodels
from webbcal.core.html import markup
from webbcal.detector.dq_init import DQInitStep
from webbcal.io.arrays import MemoryArray
from webbcal.notebook.thumbnails import spectrum_line, thumbnail
from webbcal.pipeline import Detector1Pipeline

_VOID = {"img", "br", "polyline"}


class Checked(HTMLParser):
    """Text of a page whose elements must be closed in order."""

    def __init__(self, page):
        super().__init__()
        self.words, self.open, self.tags = [], [], []
        self.feed(page)
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in _VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(self.words)

    def images(self):
        sources = [attrs["src"] for tag, attrs in self.tags if tag == "img"]
        return [Image.open(io.BytesIO(base64.b64decode(s.partition(",")[2]))) for s in sources]


def test_a_model_shows_what_it_is_and_its_arrays(tmp_path):
    image().save(tmp_path / "jw1_nrcb1_cal.fits")
    with datamodels.open(tmp_path / "jw1_nrcb1_cal.fits") as model:
        page = Checked(model._repr_html_())
        assert "data" in model.contents.tree and not isinstance(model.contents.tree["data"], np.ndarray)
    for words in ("ImageModel  40 × 50  jw1_nrcb1_cal.fits", "NRCB1", "F200W", "MJy/sr", "float32", "uint32"):
        assert words in page.text
    data, flags = page.images()
    assert data.size == (50, 40) and flags.size == (50, 40)
    assert np.argwhere(np.array(flags) == 40).tolist() == [[34, 6]]  # the first row is below
    brightest = np.unravel_index(np.argmax(np.where(np.array(flags) == 40, 0, np.array(data))), (40, 50))
    assert np.hypot(brightest[0] - 19, brightest[1] - 30) < 3


def test_lists_show_their_first_items():
    page = Checked(slits(9)._repr_html_())
    assert "9 items" in page.text and len(page.images()) == 4 and "0: source 1" in page.text
    page = Checked(spectrum()._repr_html_())
    assert sum(tag == "svg" for tag, _ in page.tags) == 2 and "2 items" in page.text


def test_the_record_of_a_product_is_shown():
    mask = datamodels.MaskModel(np.zeros((10, 12), np.uint8))
    result = DQInitStep(override_mask=mask).run(ramp())
    page = Checked(result._repr_html_())
    assert "run record" in page.text and "1 of 1 steps applied" in page.text
    assert "dq_init" in page.text and "complete" in page.text
    assert re.search(r"override_mask = .* user", page.text)


def test_nothing_in_a_file_becomes_html():
    model = image()
    evil = "<script>alert('x')</script><img src=x onerror=y>"
    model.meta.filename = model.meta.target.catalog_name = evil
    model.meta.run_record = [
        {
            "software": evil,
            "steps": [
                {"step": evil, "status": evil, "reason": evil, "parameters": {evil: {"value": evil}}},
                {"step": "s", "status": "COMPLETE", "references": {evil: {"name": evil, "sha256": evil}}},
            ],
        }
    ]
    step = DQInitStep(name=evil)
    for page in (model._repr_html_(), step._repr_html_()):
        assert "<script" not in page.lower() and "<img src=x" not in page and "&lt;script" in page
        assert all("onerror" not in attrs for _, attrs in Checked(page).tags)


def test_what_utf_8_cannot_hold_is_shown():
    model = image()
    model.meta.target.catalog_name = "half of a pair: \udc80"
    assert "half of a pair: \\udc80" in markup(model.meta.target.catalog_name)
    assert model._repr_html_().encode()


def test_a_damaged_array_is_told(tmp_path):
    path = tmp_path / "cut_cal.fits"
    image(shape=(300, 300)).save(path)
    with datamodels.open(path) as model:
        whole = path.stat().st_size
        with path.open("r+b") as file:
            file.truncate(whole - 700_000)
        page = Checked(model._repr_html_())
    assert "cut_cal.fits" in page.text and len(page.images()) <= 1


class Large:
    """An array of 17 GB that counts what is read of it."""

    def __init__(self):
        self.shape, self.dtype, self.read_bytes = (100, 20, 2048, 2048), np.dtype("u2"), 0

    def read(self, *index):
        whole = np.lib.stride_tricks.as_strided(np.zeros(1, "u2"), self.shape, (0, 0, 0, 0))
        part = np.array(whole[index])
        self.read_bytes += part.nbytes
        return part

    def read_into(self, out, *index):
        out[...] = self.read(*index)


def test_cost_and_size_are_bounded():
    model, large = datamodels.RampModel(), Large()
    model.contents.tree["data"] = large
    model.meta.target.catalog_name = "x" * 100_000
    step = {"step": "s" * 1000, "status": "SKIPPED", "reason": "r" * 100_000}
    model.meta.run_record = [{"software": "webbcal", "steps": [step] * 100}] * 20
    page = model._repr_html_()
    assert len(page) < 300_000 and large.read_bytes < 2_000_000
    assert "100 × 20 × 2048 × 2048" in page


@pytest.mark.parametrize("shape", [(5,), (0, 4), (1, 1), (2, 700), (700, 2), (3, 4, 5), (2, 3, 4, 5)])
def test_pictures_of_arrays_of_any_shape(shape):
    png = thumbnail(MemoryArray(np.arange(np.prod(shape), dtype=float).reshape(shape)))
    if len(shape) < 2 or 0 in shape:
        assert png is None
        return
    assert max(Image.open(io.BytesIO(png)).size) <= 96
    assert thumbnail(MemoryArray(np.full(shape, np.nan))) is not None


def test_a_line_needs_two_values():
    assert spectrum_line(np.array([1.0, np.nan]), np.array([1.0, 2.0])) is None
    assert "polyline" in spectrum_line(np.array([1.0, 2.0]), np.array([3.0, 3.0]))


def test_a_step_shows_its_parameters_with_their_origin():
    pipeline = Detector1Pipeline(steps={"jump": {"rejection_threshold": 6.5}}, save_results=True)
    page = Checked(pipeline._repr_html_())
    assert "rejection_threshold = 6.5" in page.text and "Detector1Pipeline" in page.text
    page = Checked(pipeline.jump._repr_html_())
    row = page.text[page.text.index("rejection_threshold") :].split()
    assert row[:3] == ["rejection_threshold", "6.5", "user"]
    assert "maximum_cores" in page.text and "save_results" in page.text


def test_a_run_shows_what_was_done(tmp_path):
    mask = datamodels.MaskModel(np.zeros((10, 12), np.uint8))
    run = DQInitStep(override_mask=mask, save_results=True).start(ramp())
    page = Checked(run._repr_html_())
    assert "Run of DQInitStep" in page.text and "1 of 1 steps applied" in page.text
    assert "jw1_nrcb1_dqinitstep.fits" in page.text.lower()


def test_a_model_shows_itself_without_matplotlib():
    code = """
import sys
sys.modules['matplotlib'] = sys.modules['PIL'] = None
import numpy as np
from webbcal import datamodels
page = datamodels.ImageModel(np.ones((8, 8), 'f4'))._repr_html_()
print('data:image/png' in page)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
