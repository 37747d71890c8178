"""Associations from lists and from whatever a pipeline is given."""

import json
import pickle
from pathlib import Path
from types import SimpleNamespace

import pytest

from webbcal.associations import (
    RULES,
    Association,
    DMSLevel2bBase,
    as_level2,
    as_level3,
    asn_from_list,
    load_asn,
    load_association,
)
from webbcal.associations.exceptions import AssociationNotValidError
from webbcal.cli import asn as command
from webbcal.cli.main import main
from webbcal.core.errors import InputError, ParameterError


def model(filename="m_rate.fits", exptype=None):
    return SimpleNamespace(meta=SimpleNamespace(filename=filename, asn=SimpleNamespace(exptype=exptype)))


def names(asn):
    return [(p.name, [(m.expname, m.exptype) for m in p.members]) for p in asn.products]


def test_level3_is_one_product():
    asn = asn_from_list(["b_cal.fits", Path("sub/a_cal.fits")], product_name="mosaic")
    assert names(asn) == [("mosaic", [("b_cal.fits", "science"), ("sub/a_cal.fits", "science")])]
    assert asn.asn_rule == "DMS_Level3_Base"
    assert asn.dump()[0] == "jwnoprogram-a3001_none_00001_asn.json"


def test_level2_is_a_product_each():
    asn = asn_from_list(
        ["s/a_rate.fits", "b-rateints.fits", "c_foo.fits"], rule="DMSLevel2bBase", acid="o012"
    )
    assert [p.name for p in asn.products] == ["s/a", "b", "c_foo"]
    assert asn.dump()[0] == "jwnoprogram-o012_none_00001_asn.json"


def test_exptypes_meta_and_names_of_products():
    pairs = [("a_cal.fits", "science"), ("p_cal.fits", "PSF"), ("b_cal.fits", None)]
    asn = asn_from_list(pairs, product_name="p", with_exptype=True, meta={"program": "01234"})
    assert [m.exptype for m in asn.products[0].members] == ["science", "psf", "science"]
    assert asn.program == "01234"
    asn = asn_from_list(
        ["a.fits", "b.fits"],
        DMSLevel2bBase,
        product_name_func=lambda item, n: f"{item}{n}" if n > 1 else 1 / 0,
    )
    assert [p.name for p in asn.products] == ["a", "b.fits2"]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: asn_from_list(["a.fits"]), InputError, "--product-name"),
        (lambda: asn_from_list([], product_name="p"), InputError, "at least one exposure"),
        (lambda: asn_from_list(["a.fits"] * 2, product_name="p"), InputError, "a.fits is there twice"),
        (lambda: asn_from_list(["a.fits"], rule="Asn_Lv2Imag"), ParameterError, "did you mean Asn_Lv2Image"),
        (lambda: asn_from_list(["a.fits"], DMSLevel2bBase, acid="a3001"), ParameterError, "oXXX"),
        (lambda: asn_from_list([("a.fits", "psf")], product_name="p"), InputError, "with_exptype=True"),
        (lambda: asn_from_list(["ab"], product_name="p", with_exptype=True), InputError, "needs pairs"),
        (
            lambda: asn_from_list([("a", "sciense")], product_name="p", with_exptype=True),
            InputError,
            "did you mean 'science'",
        ),
        (lambda: asn_from_list([3], product_name="p"), InputError, "neither a file nor"),
        (lambda: as_level2([]), InputError, "list is empty"),
        (lambda: as_level2("a.txt"), InputError, r"a.txt: not an exposure"),
        (lambda: as_level3(["a_asn.json"]), InputError, "give an association"),
        (lambda: as_level3(3), InputError, "neither a file nor"),
        (lambda: as_level3("gone_asn.json"), InputError, "no such association"),
        (lambda: as_level3(["x_cal.fits", "y_cal.fits"]), InputError, "missing: x_cal.fits, y_cal.fits"),
        (lambda: as_level3({"asn_id": 1}), InputError, "has no 'products'"),
        (lambda: as_level3([model(exptype="background")]), InputError, "no member is science"),
        (
            lambda: as_level2(asn_from_list([("b.fits", "background")], DMSLevel2bBase, with_exptype=True)),
            InputError,
            "undefined has no science member",
        ),
    ],
)
def test_refused(call, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        call()


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a_rate.fits", "b_rate.fits", "m_rate.fits"):
        Path(name).touch()
    return tmp_path


def test_level2_of_anything(files):
    single = as_level2("a_rate.fits")
    assert names(single) == [("a", [("a_rate.fits", "science")])]
    assert (single.asn_pool, single.program, single.filename) == ("singleton", "noprogram", "singleton")
    both = as_level2([Path("a_rate.fits"), "b_rate.fits"])
    assert [p.name for p in both.products] == ["a", "b"]
    assert both.target == "singleton"
    opened = model()
    one = as_level2(opened)
    assert names(one) == [("m_rate", [("m_rate.fits", "science")])]
    assert one.products[0].science[0].model is opened
    assert json.loads(one.dump()[1])["products"][0]["members"][0]["expname"] == "m_rate.fits"
    assert [p.name for p in as_level2([model(None), model(None)]).products] == ["undefined"] * 2


def test_level2_of_an_association(files, caplog):
    members = [{"expname": n, "exptype": "science"} for n in ("a_rate.fits", "b_rate.fits")]
    tree = {"program": "7", "products": [{"members": members}]}
    Path("sub").mkdir()
    Path("sub/x_asn.json").write_text(json.dumps(tree))
    with pytest.raises(
        InputError, match=r"2 of 2 member files are missing: sub/a_rate.fits, sub/b_rate.fits"
    ):
        as_level2("sub/x_asn.json")
    Path("x_asn.json").write_text(json.dumps(tree))
    asn = as_level2("x_asn.json")
    assert (asn.products[0].name, asn.program, asn.asn_pool) == ("a", "7", "none")
    assert "only the first" in caplog.text
    assert asn.path == Path("x_asn.json")
    assert tree == load_association("x_asn.json").data


def test_level3_of_anything(files):
    assert names(as_level3("a_rate.fits")) == [("a", [("a_rate.fits", "science")])]
    models = [model("x_cal.fits"), model("y_cal.fits", "SCIENCE"), model("z_cal.fits", "background")]
    asn = as_level3(models)
    assert asn.products[0].name == "x"
    assert [m.model for m in asn.products[0].science] == models[:2]
    given = Association({"products": [{"members": [{"expname": "a_rate.fits", "exptype": "science"}]}]})
    taken = as_level3(given)
    taken["products"][0]["members"].clear()
    assert len(given.products[0].members) == 1
    assert taken.products[0].name is None
    # Members that are not opened need not be there.
    given["products"][0]["members"].append({"expname": "gone.fits", "exptype": "target_acquisition"})
    as_level3(given)


def test_command(files, capsys):
    assert main(["asn", "from-list", "-o", "l3.json", "--product-name", "mosaic", "a_rate.fits"]) == 0
    assert capsys.readouterr().out == "l3.json: 1 products, 1 members\n"
    assert load_association("l3.json").products[0].name == "mosaic"
    words = ["from-list", "-o", "l2.yaml", "-r", "DMSLevel2bBase", "-i", "c1001"]
    assert command.main([*words, "a_rate.fits", "b_rate.fits", "--background", "gone.fits"]) == 0
    assert "1 of 3 member files are missing: gone.fits" in capsys.readouterr().err
    assert names(load_association("l2.yaml"))[1] == (
        "b",
        [("b_rate.fits", "science"), ("gone.fits", "background")],
    )


def test_where_scripts_for_jwst_find_it():
    import webbcal.associations.asn_from_list as module
    from webbcal.associations.asn_from_list import asn_from_list as function
    from webbcal.associations.lib import rules_level2_base, rules_level3_base

    assert asn_from_list is function is asn_from_list.asn_from_list is module.asn_from_list
    asn = asn_from_list.asn_from_list(["a_rate.fits"], rule=rules_level2_base.DMSLevel2bBase)
    assert names(asn) == [("a", [("a_rate.fits", "science")])]
    asn = function(["a_cal.fits"], rule=rules_level3_base.DMS_Level3_Base, product_name="p")
    assert names(asn) == [("p", [("a_cal.fits", "science")])]


def test_command_takes_members_of_any_type(files):
    words = ["asn", "from-list", "-o", "c.json", "--product-name", "c", "--member", "PSF", "b_rate.fits"]
    assert main([*words, "--background", "m_rate.fits", "a_rate.fits"]) == 0
    members = [("a_rate.fits", "science"), ("b_rate.fits", "psf"), ("m_rate.fits", "background")]
    assert names(load_association("c.json")) == [("c", members)]
    assert (
        main(
            [
                "asn",
                "from-list",
                "-o",
                "d.json",
                "-r",
                "DMSLevel2bBase",
                "a.fits",
                "--member",
                "bakground",
                "b",
            ]
        )
        == 1
    )


def test_command_refuses(files, capsys):
    assert main(["asn", "from-list", "-o", "l3.json", "a_rate.fits"]) == 1
    assert "--product-name" in capsys.readouterr().err
    assert main(["asn", "from-list", "-o", "l3.json", "-r", "no", "a_rate.fits"]) == 2
    assert main(["asn"]) == main(["asn", "make"]) == 2
    with pytest.raises(SystemExit, match="2"):
        main(["asn", "from-list", "a_rate.fits"])
    assert not Path("l3.json").exists()


def test_rules_know_their_level():
    assert RULES["Asn_Lv2Image"].level == 2
    assert RULES["Asn_Lv3Image"].level == 3


def test_a_target_acquisition_by_its_short_name():
    pairs = [("a.fits", "science"), ("b.fits", "target_acq")]
    asn = asn_from_list(pairs, product_name="p", with_exptype=True)
    assert [m["exptype"] for m in asn["products"][0]["members"]] == ["science", "target_acq"]
    assert load_asn(asn.dump()[1]).data == asn.data


def test_pairs_where_each_exposure_makes_a_product(caplog):
    pairs = [("file_1.fits", "science"), ("file_2.fits", "background"), ("file_3.fits", "")]
    asn = asn_from_list(pairs, rule="DMSLevel2bBase")
    assert [p.name for p in asn.products] == ["file_1", "file_2", "file_3"]
    assert all(len(p.science) == 1 for p in asn.products)
    assert "background counts with with_exptype=True only" in caplog.text
    with pytest.raises(InputError, match="pairs need with_exptype"):
        asn_from_list(pairs, product_name="p")


def test_validity():
    asn = asn_from_list(["a.fits"], product_name="p")
    assert asn.is_valid and list(asn.validity) == ["has_science"]
    assert asn.validity["has_science"]["check"]({"exptype": "science"})
    asn["products"][0]["members"][0]["exptype"] = "psf"
    assert not asn.is_valid and not asn.validity["has_science"]["validated"]
    level2 = asn_from_list(["a.fits"], rule="DMSLevel2bBase", acid="c1001")
    assert not level2.validity["allowed_candidates"]["validated"]
    del level2["products"][0]["members"][0]["exptype"]
    assert not level2.is_valid


def test_the_format_has_two_names():
    asn = asn_from_list(["a.fits"], product_name="p")
    with pytest.warns(DeprecationWarning, match="YAML"):
        assert asn.dump(fmt="yaml") == asn.dump(format="yaml") == asn.dump("yaml")
    assert asn.dump(fmt="json") == asn.dump()


def test_rules_are_where_scripts_look_for_them():
    from webbcal.associations.lib import rules_level2b, rules_level3
    from webbcal.associations.lib.rules_level2b import Asn_Lv2Image
    from webbcal.associations.lib.rules_level3 import Asn_Lv3TSO

    assert (Asn_Lv2Image, Asn_Lv3TSO) == (RULES["Asn_Lv2Image"], RULES["Asn_Lv3TSO"])
    assert len(dir(rules_level2b)) + len(dir(rules_level3)) + 2 == len(RULES)
    with pytest.raises(ImportError):
        from webbcal.associations.lib.rules_level3 import Asn_Lv2Image as _  # noqa: F401
    assert asn_from_list(["a.fits"], rule=Asn_Lv2Image)["asn_rule"] == "Asn_Lv2Image"


def test_an_open_file_is_read(tmp_path):
    path = asn_from_list(["a.fits"], product_name="p").save(tmp_path / "a_asn.json")
    with path.open() as file:
        assert load_asn(file, registry=None)["products"][0]["name"] == "p"
    with pytest.raises(AssociationNotValidError, match="no 'products'"):
        load_asn("{}")


def test_a_role_that_nothing_knows_is_kept_with_a_warning(caplog):
    items = [("a.fits", "science"), ("b.fits", "somethingelse")]
    made = asn_from_list(items, product_name="p", with_exptype=True)
    assert "somethingelse" in caplog.text
    again = load_asn(made.dump()[1])
    assert [m["exptype"] for m in again["products"][0]["members"]] == ["science", "somethingelse"]


def test_a_list_without_products_is_kept_but_not_worked_on():
    made = asn_from_list(["a", "b"], rule=Association)
    assert made["asn_rule"] == "Association" and made["members"] == ["a", "b"]
    assert load_asn(made.dump()[1]) == made
    with pytest.raises(InputError, match="products"):
        as_level3(made)


def test_an_association_is_a_dictionary(tmp_path):
    made = asn_from_list(["a.fits"], product_name="p")
    assert json.loads(json.dumps(made)) == made == pickle.loads(pickle.dumps(made))
    assert made["code_version"].startswith("3.0.0+webbcal.")
