"""The table of observing modes."""

import csv
from pathlib import Path

import pytest

from webbcal.core.modes import mode_of, mosaicked_types, table

KEYWORDS = Path(__file__).parents[3] / "src/webbcal/datamodels/tables/keywords.csv"


def test_all_exposure_types_of_the_keyword_are_in_the_table():
    with KEYWORDS.open() as file:
        (row,) = [row for row in csv.reader(file) if row[:2] == ["meta.exposure.type", "EXP_TYPE"]]
    types = next(cell for cell in row if "|" in cell).split("|")
    assert set(types) - {"N/A", "ANY"} <= set(table())


def test_mosaics_are_made_of_images_of_four_instruments():
    assert mosaicked_types() == ["NRC_IMAGE", "NIS_IMAGE", "MIR_IMAGE", "FGS_IMAGE"]


@pytest.mark.parametrize(
    ("exp_type", "optics", "traits"),
    [
        ("nrc_image", "image", {"mosaic"}),
        ("NIS_SOSS", "soss", {"tso", "template"}),
        (" MIR_LRS-SLITLESS", "slitless", {"tso", "prism"}),
        ("NRS_BRIGHTOBJ", "slit", {"tso"}),
        ("NRC_DARK", "none", {"internal"}),
        ("SOMETHING", "unknown", set()),
        (None, "unknown", set()),
    ],
)
def test_traits(exp_type, optics, traits):
    mode = mode_of(exp_type)
    assert (mode.optics, set(mode.traits)) == (optics, traits)
    assert all(mode.has(trait) for trait in traits)
