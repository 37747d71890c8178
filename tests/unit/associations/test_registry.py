"""What scripts written for jwst use to make associations: `Main` and `AssociationRegistry`."""

import pytest

from webbcal import associations
from webbcal.associations import AssociationRegistry, asn_from_list, load_association
from webbcal.associations.asn_from_list import Main
from webbcal.associations.registry import AssociationRegistry as in_its_module
from webbcal.core.errors import InputError, ParameterError

WORDS = ["-o", "m_asn.json", "--product-name", "m", "a_cal.fits", "b_cal.fits"]


@pytest.mark.parametrize("words", [WORDS, " ".join(WORDS), [*WORDS, "-r", "Asn_Lv3Image", "-f", "json"]])
def test_main(words):
    made = Main.cli(words)
    assert [member.expname for member in load_association("m_asn.json").products[0].members] == WORDS[-2:]
    assert made.asn["products"][0]["name"] == "m" and asn_from_list.Main is Main


def test_main_in_steps_at_level_2():
    made = Main(["-o", "l2_asn.json", "-r", "DMSLevel2bBase", "-i", "o001", "a_rate.fits", "b_rate.fits"])
    made.asn_from_list()
    assert [product["name"] for product in made.asn["products"]] == ["a", "b"]
    assert made.rule is associations.DMSLevel2bBase
    made.save()
    assert load_association("l2_asn.json")["asn_rule"] == "DMSLevel2bBase"


def test_registry():
    rules = AssociationRegistry()
    assert in_its_module is AssociationRegistry and "Asn_Lv3Image" in rules and "DMS_Level3_Base" not in rules
    assert AssociationRegistry(include_bases=True)["DMS_Level3_Base"] is associations.DMS_Level3_Base
    assert AssociationRegistry(name="mine")["mine_Asn_Lv2Image"].level == 2
    made = asn_from_list(["a_cal.fits"], rule=rules["Asn_Lv3Image"], product_name="m")
    assert rules.validate(made) == [rules["Asn_Lv3Image"]] and rules["Asn_Lv3Image"] in rules.rule_set
    assert rules.load(made.dump()[1])["products"] == made["products"]


def test_registry_refuses():
    with pytest.raises(ParameterError, match="files of rules"):
        AssociationRegistry(["mine.py"])
    with pytest.raises(ParameterError, match="include_default"):
        AssociationRegistry(include_default=False)
    with pytest.raises(InputError, match="products"):
        AssociationRegistry().validate({})
    with pytest.raises(InputError):
        AssociationRegistry().load("{}")
