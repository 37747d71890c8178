"""A step that is stated for a slit works on a single one and on products of many."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from webbcal import datamodels
from webbcal.core.errors import SkipStep
from webbcal.run.each_slit import EachSlit
from webbcal.run.record import runs_of


class HalveStep(EachSlit):
    """Divide by two; slits of zeros are dropped, those without data left as they are."""

    class_alias = "halve"

    def apply_slit(self, slit: Any, references: Any, p: Any) -> bool | None:
        if slit.data.max() < 0:
            raise SkipStep("there is no light in it")
        slit.data = slit.data / 2
        return None if slit.data.any() else False


@pytest.fixture
def product() -> Iterator[datamodels.MultiSlitModel]:
    model = datamodels.MultiSlitModel()
    model.meta.filename = "jw1_cal.fits"
    for number in range(6):
        model.slits.append(model.slits.item())
        model.slits[-1].name = f"S{number}"
        model.slits[-1].data = np.full((4, 5), number, np.float32)
    yield model


def test_all_slits(product: Any) -> None:
    result = HalveStep().run(product)
    assert [s.name for s in result.slits] == [f"S{k}" for k in range(1, 6)]
    assert [float(s.data[0, 0]) for s in result.slits] == [0.5, 1.0, 1.5, 2.0, 2.5]
    assert len(product.slits) == 6 and float(product.slits[4].data[0, 0]) == 4  # the input is not changed
    assert runs_of(result)[-1]["steps"][0]["results"] == {"slits_dropped": 1}


def test_a_slit_that_does_not_allow_it(product: Any, caplog: pytest.LogCaptureFixture) -> None:
    product.slits[2].data = np.full((4, 5), -1, np.float32)
    result = HalveStep().run(product)
    assert float(result.slits[1].data[0, 0]) == -1
    assert "jw1_cal.fits: halve: slit S2 is left as it was: there is no light in it" in caplog.text
    step = runs_of(result)[-1]["steps"][0]
    assert step["status"] == "COMPLETE" and step["results"]["slits_left_out"] == {
        "S2": "there is no light in it"
    }


def test_no_slit_allows_it(product: Any) -> None:
    for slit in product.slits:
        slit.data = np.full((4, 5), -1, np.float32)
    result = HalveStep().run(product)
    assert runs_of(result)[-1]["steps"][0]["status"] == "SKIPPED"
    assert len(result.slits) == 6


def test_a_single_slit(product: Any) -> None:
    single = product[3]
    result = HalveStep().run(single)
    assert type(result).__name__ == "SlitModel" and (result.data == 1.5).all()


def test_slits_of_a_file_are_read_when_their_turn_comes(product: Any, tmp_path: Any) -> None:
    product.save(tmp_path / "slits.fits")
    result = HalveStep().run(str(tmp_path / "slits.fits"))
    assert [float(s.data[0, 0]) for s in result.slits] == [0.5, 1.0, 1.5, 2.0, 2.5]
