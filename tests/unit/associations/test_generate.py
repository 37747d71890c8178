"""Associations from pools: what is made of a few exposures, and how it is told."""

import pytest
from pool_cases import exposure, members, pool

from webbcal.associations import generate, load_association, read_recipes
from webbcal.associations.generator.rule_tables import recipes
from webbcal.associations.rules import RULES
from webbcal.core.errors import InputError, ParameterError


def by_rule(associations):
    """Return associations by the name of their rule, without what it was made for."""
    found = {}
    for made in associations:
        found.setdefault(made["asn_rule"].partition("_")[2], []).append(made)
    return found


def test_a_dither_is_calibrated_by_exposure_and_combined():
    made = generate(pool(exposure(1), exposure(2)))
    assert [a.asn_name for a in made] == [
        "jw01234-o001_image2_00001_asn",
        "jw01234-o001_image2_00002_asn",
        "jw01234-o001_image3_00001_asn",
    ]
    first, _, mosaic = made
    assert first["products"] == [
        {
            "name": "jw01234001001_02101_00002_mirimage",
            "members": [
                {
                    "expname": "jw01234001001_02101_00002_mirimage_rate.fits",
                    "exptype": "science",
                    "exposerr": None,
                }
            ],
        }
    ]
    assert mosaic["products"][0]["name"] == "jw01234-o001_t001_miri_f770w"
    assert members(mosaic) == {"science": ["00001_cal.fits", "00002_cal.fits"]}
    assert (mosaic["target"], mosaic["program"], mosaic.asn_pool) == (
        "t001",
        "01234",
        "jw01234_20260101t000000_pool.csv",
    )
    assert "filter = f770w" in mosaic["constraints"]


def test_what_differs_is_apart():
    rows = [exposure(1), exposure(2, filter="f1000w"), exposure(3, targetid="2"), exposure(4, program="5")]
    names = {a["products"][0]["name"] for a in generate(pool(*rows)) if a["asn_type"] == "image3"}
    assert names == {
        "jw01234-o001_t001_miri_f770w",
        "jw01234-o001_t001_miri_f1000w",
        "jw01234-o001_t002_miri_f770w",
        "jw00005-o001_t001_miri_f770w",
    }


def test_a_background_candidate_brings_backgrounds_to_each_exposure():
    both = "[('o{}', 'observation'), ('c1000', 'background')]"
    rows = [
        exposure(1, asn_candidate=both.format("001")),
        exposure(2, asn_candidate=both.format("001")),
        exposure(3, obs_num="2", targetid="2", bkgdtarg="t", asn_candidate=both.format("002")),
    ]
    made = by_rule(generate(pool(*rows)))
    found = sorted((members(a) for a in made["Asn_Lv2Image"]), key=str)
    # The association of the observation alone has fewer members under the same name, and goes.
    assert found == [{"science": [f"0000{n}_rate.fits"], "background": ["00003_rate.fits"]} for n in (1, 2)]
    assert {a["asn_id"] for a in made["Asn_Lv2Image"]} == {"c1000"}
    assert [members(a) for a in made["Asn_Lv2ImageSpecial"]] == [{"science": ["00003_rate.fits"]}]


def test_time_series_are_used_by_integration():
    made = by_rule(generate(pool(exposure(1, tsovisit="t"))))
    (second,), (third,) = made["Asn_Lv2ImageTSO"], made["Asn_Lv3TSO"]
    assert (second["asn_type"], members(second)) == ("tso-image2", {"science": ["00001_rateints.fits"]})
    assert (third["asn_type"], members(third)) == ("tso3", {"science": ["00001_calints.fits"]})


def test_coronagraphy_needs_a_reference_star():
    star = exposure(2, exp_type="mir_4qpm", targetid="2", is_psf="t")
    target = exposure(1, exp_type="mir_4qpm")
    assert "Asn_Lv3MIRCoron" not in by_rule(generate(pool(target)))
    for order in ([star, target], [target, star]):
        (made,) = by_rule(generate(pool(*order)))["Asn_Lv3MIRCoron"]
        assert members(made) == {"science": ["00001_calints.fits"], "psf": ["00002_calints.fits"]}
        assert made["products"][0]["name"] == "jw01234-o001_t001_miri_f770w"


def test_nods_of_a_slit_are_backgrounds_of_each_other():
    nods = [
        exposure(n, exp_type="mir_lrs-fixedslit", filter="p750l", patttype="along-slit-nod", patt_num=str(n))
        for n in (1, 2)
    ]
    made = by_rule(generate(pool(*nods)))
    assert sorted((members(a) for a in made["Asn_Lv2MIRLRSFixedSlitNod"]), key=str) == [
        {"science": [f"0000{n}_rate.fits"], "background": [f"0000{3 - n}_rate.fits"]} for n in (1, 2)
    ]
    (spectrum,) = made["Asn_Lv3SpectralTarget"]
    assert members(spectrum) == {
        "science": ["00001_cal.fits", "00002_cal.fits"],
        "background": ["00001_x1d.fits", "00002_x1d.fits"],
    }


def test_groups_need_several_observations_and_are_found_without_a_candidate():
    far = exposure(2, obs_num="2")
    made = generate(pool(exposure(1), far))
    found = {a["asn_id"]: members(a) for a in made if a["asn_type"] == "image3"}
    assert found == {
        "o001": {"science": ["00001_cal.fits"]},
        "o002": {"science": ["00002_cal.fits"]},
        "a3001": {"science": ["00001_cal.fits", "00002_cal.fits"]},
    }
    alone = exposure(1, asn_candidate="[('o001', 'observation'), ('c1000', 'group')]")
    assert {a["asn_id"] for a in generate(pool(alone))} == {"o001"}


def test_what_is_made_can_be_chosen():
    rows = pool(exposure(1), exposure(2, obs_num="2"))
    assert {a["asn_id"] for a in generate(rows, ids=["O002"])} == {"o002"}
    assert {a["asn_id"] for a in generate(rows, discover=False)} == {"o001", "o002"}
    assert {a["asn_id"] for a in generate(rows, all_candidates=False)} == {"a3001"}
    with pytest.raises(ParameterError, match="no candidate 'o009'; it has o001, o002"):
        generate(rows, ids=["o009"])
    (named, *_) = generate(rows, version_id="v7")
    assert named.asn_name == "jw01234-o002_v7_image2_00001_asn" or "_v7_image2_" in named.asn_name


def test_merged_associations_have_several_products():
    third, second = generate(pool(exposure(1), exposure(2)), merge=True)
    assert (len(second["products"]), len(third["products"])) == (2, 1)
    assert {p["name"][-14:-9] for p in second["products"]} == {"00001", "00002"}


def test_errors_of_exposures_are_told():
    (first, _) = generate(pool(exposure(1, exposerr="guide star lost")))
    assert first["products"][0]["members"][0]["exposerr"] == "guide star lost"
    assert first["degraded_status"].startswith("One or more members")


def test_files_are_read_again(tmp_path):
    for made in generate(pool(exposure(1), exposure(2))):
        again = load_association(made.save(tmp_path / f"{made.asn_name}.json"))
        assert again.data == made.data and again.validity["has_science"]["validated"]


def test_rules_are_those_of_lists():
    # The one that only offers target acquisitions once more is no rule here, but how all rules work.
    bases = {"DMSLevel2bBase", "DMS_Level3_Base", "Asn_Lv3ACQ_Reprocess"}
    assert {name: r.level for name, r in recipes().items()} == {
        name: rule.level for name, rule in RULES.items() if name not in bases
    }


MINE = """
[rules.Asn_Mine]
level = 3
type = "image3"
name = "all-{instrument}"
where = ["@image", "instrument: instrume"]
"""


def test_rules_of_a_user(tmp_path):
    (tmp_path / "mine.toml").write_text(MINE)
    rules = read_recipes(tmp_path / "mine.toml")
    rows = pool(exposure(1), exposure(2, filter="f1000w", targetid="2"))
    (made,) = generate(rows, rules)
    assert (made["asn_rule"], made["products"][0]["name"]) == ("candidate_Asn_Mine", "all-miri")
    assert members(made) == {"science": ["00001_cal.fits", "00002_cal.fits"]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("@image", "@pictures"), "no conditions 'pictures'"),
        (("instrument: instrume", "instrume & detector"), "Asn_Mine is not understood"),
        (("level = 3", "tier = 3"), "no key 'tier'"),
        (("level = 3\n", ""), "'level' is missing"),
        (("[rules.Asn_Mine]", "[rules.Asn_Mine"), "TOML"),
        (("rules.", "others."), "has no rules"),
        (('"@image", ', '{ some = ["@image"] }, '), "is no condition"),
    ],
)
def test_rules_that_are_wrong(tmp_path, change, words):
    (tmp_path / "mine.toml").write_text(MINE.replace(*change))
    with pytest.raises(InputError, match=words) as caught:
        read_recipes(tmp_path / "mine.toml")
    assert "mine.toml" in str(caught.value)
