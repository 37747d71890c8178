import numpy as np
import pytest

from webbcal import datamodels
from webbcal.combine.mosaic.blending import Blender

#: Keyword, its values in two exposures, and what the product says.
RULES = [
    ("instrument.detector", ["NRCA1", "NRCB4"], "MULTIPLE"),
    ("instrument.detector", ["NRCA1", "NRCA1"], "NRCA1"),
    ("instrument.module", ["A", "B"], "MULTIPLE"),
    ("instrument.filter", ["F200W", "F150W"], "MULTIPLE"),
    ("instrument.grating", ["G140H", "G235H"], "MULTIPLE"),
    ("instrument.band", ["SHORT", "LONG"], "MULTIPLE"),
    ("exposure.exposure_time", [10.0, 5.0], 15.0),
    ("exposure.start_time", [59000.5, 59000.25], 59000.25),
    ("exposure.mid_time", [1.0, 2.0], 1.5),
    ("exposure.end_time", [1.0, 2.0], 2.0),
    ("observation.date", ["2023-02-01", "2022-12-31"], "2022-12-31"),
    ("target.catalog_name", ["a", "b"], "a"),
]


@pytest.mark.parametrize(("path", "values", "blended"), RULES)
def test_keywords_that_differ_are_blended_by_their_rule(path, values, blended):
    blender, product = Blender(), datamodels.ImageModel((2, 2))
    for value in values:
        model = datamodels.ImageModel((2, 2))
        model[f"meta.{path}"] = value
        assert model[f"meta.{path}"] == value
        blender.add(model)
    blender.apply(product)
    assert product[f"meta.{path}"] == blended
    assert len(np.atleast_1d(product.hdrtab)) == 2
