"""Layouts of products and association files, as the field's notes on stages 2 and 3 have them (seed 002).

The notes are of 2020. Where files have changed since, the layouts here are those of jwst 3.0.0, for the same
exposures (docs/tutorials.md says what differs from the notes).
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from webbcal import datamodels
from webbcal.associations import asn_from_list, load_association
from webbcal.associations.lib.rules_level2_base import DMSLevel2bBase
from webbcal.associations.lib.rules_level3_base import DMS_Level3_Base
from webbcal.cli.main import main
from webbcal.pipeline import Image2Pipeline, Image3Pipeline


def test_the_page_of_operations_names_all_tests() -> None:
    here = Path(__file__).parent
    page = (here.parents[1] / "docs/tutorials.md").read_text()
    for letter, kind in (("p", "products"), ("s", "spectra"), ("i", "imaging"), ("f", "files")):
        written = set(re.findall(r"^def (test_\w+)", (here / f"test_tutorials_{kind}.py").read_text(), re.M))
        written -= {"test_the_page_of_operations_names_all_tests", "test_the_demo_makes_a_picture"}
        rows = [line for line in page.splitlines() if f"| **{letter}** `" in line]
        assert {name for row in rows for name in re.findall(r"`(test_\w+)`", row)} == written


# ---- JWST FITS data format

FLOAT, FLAGS, COUNT = "float32", "uint32", "int32"
RATE = {"SCI": FLOAT, "ERR": FLOAT, "DQ": FLAGS}
VARIANCES = {"VAR_POISSON": FLOAT, "VAR_RNOISE": FLOAT}
TABLE = {"INT_TIMES": "table"}
AREA, FLAT = {"AREA": FLOAT}, {"VAR_FLAT": FLOAT}
LAYOUTS = {
    "rate": RATE | VARIANCES,
    "rateints": RATE | VARIANCES | TABLE,
    "bsub": RATE | VARIANCES,
    "bsubints": RATE | TABLE | VARIANCES,
    "cal": RATE | AREA | VARIANCES | FLAT,
    "calints": RATE | AREA | TABLE | VARIANCES | FLAT,
    "a3001_crf": RATE | AREA | VARIANCES | FLAT,
    "i2d": {"SCI": FLOAT, "ERR": FLOAT, "CON": COUNT, "WHT": FLOAT} | VARIANCES | FLAT,
    "l3_results_i2d.fits": {"SCI": FLOAT, "ERR": FLOAT, "CON": COUNT, "WHT": FLOAT}
    | VARIANCES
    | FLAT
    | {"HDRTAB": "table"},
}


def layout(path: str) -> dict[str, Any]:
    """Return name and type of the HDUs of a product; the primary one is empty, ASDF the last."""
    with fits.open(path) as hdus:
        assert hdus[0].header["NAXIS"] == 0 and hdus[-1].name == "ASDF"
        return {hdu.name: hdu.data.dtype.name if hdu.is_image else "table" for hdu in hdus[1:-1]}


@pytest.mark.parametrize("product", ["cal", "a3001_crf", "i2d", "l3_results_i2d.fits"])
def test_layouts_of_images(field: Any, product: str) -> None:
    found = layout(field(product))
    assert list(found.items()) == list(LAYOUTS[product].items())


@pytest.fixture
def integrations(crds: Any) -> str:
    """Make the products of two integrations in the working directory; return the root of their names."""
    root = crds.uncal[0].name.replace("_uncal.fits", "")
    main(["run", "calwebb_detector1", str(crds.uncal[0])])
    for suffix, background in (("rate", "rateints"), ("rateints", "rate")):
        words = ["--background", f"{root}_{background}.fits", f"{root}_{suffix}.fits"]
        main(["asn", "from-list", "-o", "b_asn.json", "-r", "DMSLevel2bBase", *words])
        assert main(["run", "calwebb_image2", "b_asn.json", "--save_bsub=true"]) == 0
    return root


def test_layouts_of_rates_and_integrations(integrations: str) -> None:
    for suffix in ("rate", "rateints", "bsub", "bsubints", "calints"):
        path = f"{integrations}_{suffix}.fits"
        assert list(layout(path).items()) == list(LAYOUTS[suffix].items()), suffix
        with fits.open(path) as hdus:
            shape = (2, 64, 64) if suffix.endswith("ints") else (64, 64)
            for hdu in hdus[1:-1]:
                if hdu.name == "INT_TIMES":
                    assert (len(hdu.data), len(hdu.columns)) == (2, 7)
                elif hdu.is_image:
                    assert hdu.shape == (shape[-2:] if hdu.name == "AREA" else shape)


def test_errors_are_of_all_variances(integrations: str) -> None:
    with datamodels.CubeModel(f"{integrations}_rateints.fits") as model:
        good = model.dq == 0
        total = np.sqrt(model.var_poisson + model.var_rnoise)
        np.testing.assert_allclose(model.err[good], total[good], rtol=1e-6)
        times = model.int_times["int_mid_MJD_UTC"]
        assert times[1] > times[0] > 59999


def test_context_weight_and_table_of_a_mosaic(field: Any) -> None:
    with fits.open(field("l3_results_i2d.fits")) as hdus:
        context, weight, table = hdus["CON"].data[0], hdus["WHT"].data, hdus["HDRTAB"].data
        assert set(np.unique(context)) == {0, 1, 2, 3, 4, 5, 6, 7}  # a bit for each input
        assert ((context == 0) == (weight == 0)).all()
        count = sum((context >> bit) & 1 for bit in range(3))
        assert weight[count == 3].mean() > 2 * weight[count == 1].mean()
        assert list(table["FILENAME"]) == [f"{root}_a3001_crf.fits" for root in field.roots]
    mosaic = datamodels.open(field("l3_results_i2d.fits"))
    assert [name.strip() for name in mosaic.hdrtab["FILENAME"]] == list(table["FILENAME"])
    mosaic.save("again.fits")
    assert layout("again.fits") == LAYOUTS["l3_results_i2d.fits"]


# ---- Associations and the ASN file format

EXAMPLE_2 = {
    "asn_rule": "Asn_Lv2Spec",
    "asn_pool": "jw82600_001_20160304T145416_pool",
    "program": "82600",
    "asn_type": "spec2",
    "products": [
        {"name": "test_lrs1", "members": [{"expname": "test_lrs1_rate.fits", "exptype": "science"}]},
        {"name": "test_lrs2bkg", "members": [{"expname": "test_lrs2bkg_rate.fits", "exptype": "science"}]},
        {
            "name": "test_lrs2",
            "members": [
                {"expname": "test_lrs2_rate.fits", "exptype": "science"},
                {"expname": "test_lrs2bkg_rate.fits", "exptype": "background"},
            ],
        },
    ],
}
EXAMPLE_3 = {
    "degraded_status": "No known degraded exposures in association.",
    "version_id": "20160826t131159",
    "asn_type": "image3",
    "asn_id": "c3001",
    "constraints": "Constraints:\n    opt_elem2: CLEAR\n    exp_type: NRC_IMAGE",
    "asn_pool": "mega_pool",
    "asn_rule": "Asn_Image",
    "target": "1",
    "program": "99009",
    "products": [
        {
            "name": "jw99009-a3001_t001_nircam_f090w",
            "members": [
                {
                    "exposerr": None,
                    "expname": "jw_00001_cal.fits",
                    "asn_candidate": "[('o001', 'observation')]",
                    "exptype": "science",
                },
                {
                    "exposerr": None,
                    "expname": "jw_00002_cal.fits",
                    "asn_candidate": "[('o001', 'observation')]",
                    "exptype": "science",
                },
            ],
        }
    ],
}


def test_asn_from_list_at_level_2(field: Any) -> None:
    # The fixture ran: asn from-list -o l2_asn.json -r DMSLevel2bBase *_rate.fits
    asn = json.loads((field.folder / "l2_asn.json").read_text())
    assert asn["asn_rule"] == "DMSLevel2bBase"
    expected = [(root, [{"expname": f"{root}_rate.fits", "exptype": "science"}]) for root in field.roots]
    assert [(p["name"], p["members"]) for p in asn["products"]] == expected
    rates = [f"{root}_rate.fits" for root in field.roots]
    made = asn_from_list.asn_from_list(rates, rule=DMSLevel2bBase)
    assert json.loads(made.dump()[1]) == asn


def test_asn_from_list_at_level_3(field: Any) -> None:
    # The fixture ran: asn from-list -o l3_asn.json --product-name l3_results *_cal.fits
    asn = json.loads((field.folder / "l3_asn.json").read_text())
    (product,) = asn["products"]
    assert product["name"] == "l3_results"
    assert [m["expname"] for m in product["members"]] == [f"{root}_cal.fits" for root in field.roots]
    assert {m["exptype"] for m in product["members"]} == {"science"}
    pairs = [(f"{root}_cal.fits", "science") for root in field.roots]
    made = asn_from_list(pairs, rule=DMS_Level3_Base, product_name="l3_results", with_exptype=True)
    assert json.loads(made.dump()[1]) == asn


@pytest.mark.parametrize("tree", [EXAMPLE_2, EXAMPLE_3], ids=["level 2", "level 3"])
def test_the_examples_are_read_and_written(tree: Any) -> None:
    Path("example_asn.json").write_text(json.dumps(tree, indent=4))
    asn = load_association("example_asn.json")
    assert asn.data == tree
    asn.save("again_asn.json")
    assert json.loads(Path("again_asn.json").read_text()) == tree
    roles = {m.expname: m.exptype for m in asn.products[-1].members}
    assert set(roles.values()) == ({"science", "background"} if tree is EXAMPLE_2 else {"science"})


def test_the_level_2_example_runs_on_images(field: Any) -> None:
    names = {"test_lrs1": 0, "test_lrs2": 1, "test_lrs2bkg": 2}
    for name, number in names.items():
        Path(f"{name}_rate.fits").symlink_to(field("rate", number))
    Path("example_asn.json").write_text(json.dumps(EXAMPLE_2 | {"asn_type": "image2"}))
    results = Image2Pipeline.call("example_asn.json", save_results=True, steps={"resample": {"skip": True}})
    assert [r.meta.filename for r in results] == [f"{p['name']}_cal.fits" for p in EXAMPLE_2["products"]]
    assert [r.meta.cal_step.bkg_subtract for r in results] == ["SKIPPED", "SKIPPED", "COMPLETE"]
    assert results[2].meta.asn.pool_name == EXAMPLE_2["asn_pool"]


def test_a_member_is_added_by_its_name_and_type(field: Any) -> None:
    for root in field.roots:
        Path(f"{root}_cal.fits").symlink_to(field.folder / f"{root}_cal.fits")
    tree = json.loads(json.dumps(EXAMPLE_3))
    members = tree["products"][0]["members"]
    members[:] = [
        member | {"expname": f"{root}_cal.fits"} for member, root in zip(members, field.roots, strict=False)
    ]
    text = json.dumps(tree, indent=4)
    # As the notes show it: an object with a comma behind it.
    entry = f'{{\n    "expname": "{field.roots[2]}_cal.fits",\n    "exptype": "science"\n}},\n'
    Path("l3_asn.json").write_text(text.replace('"members": [', f'"members": [\n{entry}', 1))
    skipped = {
        name: {"skip": True} for name in ("tweakreg", "skymatch", "outlier_detection", "source_catalog")
    }
    mosaic = Image3Pipeline.call("l3_asn.json", save_results=True, steps=skipped)
    assert mosaic.meta.resample.pointings == 3
    assert mosaic.meta.filename == "jw99009-a3001_t001_nircam_f090w_i2d.fits"
    assert (mosaic.meta.asn.pool_name, mosaic.meta.asn.table_name) == ("mega_pool", "l3_asn.json")
