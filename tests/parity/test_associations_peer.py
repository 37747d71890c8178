"""Associations: ours are equal to the peer's, and the peer takes them."""

import json
from pathlib import Path

import pytest
from peer_process import Script, needs_peer

from webbcal.associations import RULES, as_level2, asn_from_list
from webbcal.cli.main import main

pytestmark = needs_peer


def ask(folder, *calls):
    """Return the peer's answers to calls: a function's name, arguments, and keywords."""
    out = Script("associations_peer.py", given=json.dumps(calls), folder=folder).finish()
    return json.loads(out.splitlines()[-1])


def same(ours, theirs):
    """Compare trees, with the order of keys, but for the version of the software."""
    left, right = ({**tree, "code_version": ""} for tree in (ours, theirs))
    assert json.dumps(left) == json.dumps(right)


def test_rules_are_the_peers(tmp_path):
    (theirs,) = ask(tmp_path, ["rules", [], {}])
    assert {name: rule.level for name, rule in RULES.items()} == {
        n: level for n, (level, _) in theirs.items()
    }
    for name, (_, tree) in theirs.items():
        same(asn_from_list(["a_rate.fits", "b_rate.fits"], rule=name, product_name="p").data, tree)


def test_lists_make_what_the_peer_makes(tmp_path):
    l2, l3 = "DMSLevel2bBase", "DMS_Level3_Base"
    odd = [
        "a_rate.fits",
        "sub/b-rateints.fits",
        "/c/jw_nrca1_foo.fits",
        "d_rate.fits.gz",
        "e_RATE.fits",
        "uncal",
    ]
    pairs = [["a_rate.fits", "science"], ["b_rate.fits", "background"], ["c_rate.fits", "PSF"]]
    cases = [
        (odd, l2, {}),
        (odd, l3, {"product_name": "p q"}),
        (odd[:2], l2, {"product_name": "ignored", "acid": "o012"}),
        (pairs, l3, {"product_name": "p", "with_exptype": True}),
        (pairs[:2], l2, {"with_exptype": True}),
        (pairs[:2], l2, {}),
        ([["a.fits", "science"], ["b.fits", "target_acq"]], l3, {"product_name": "p", "with_exptype": True}),
        (odd[:1], l2, {"meta": {"program": "01234", "asn_type": "image2", "mine": 3}}),
    ]
    theirs = ask(tmp_path, *(["made", [items, rule], keys] for items, rule, keys in cases))
    for (items, rule, keys), tree in zip(cases, theirs, strict=True):
        items = [tuple(item) if isinstance(item, list) else item for item in items]
        same(json.loads(asn_from_list(items, rule=rule, **keys).dump()[1]), tree)


@pytest.mark.parametrize("kind", ["json", "yaml"])
def test_command_writes_what_the_peer_writes(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    level3 = ["-o", f"l3.{kind}", "-f", kind, "--product-name", "mosaic", "b_cal.fits", "a_cal.fits"]
    level2 = ["-o", f"l2.{kind}", "-f", kind, "-r", "DMSLevel2bBase", "--id", "o001", "a_rate.fits"]
    theirs = ask(tmp_path, *(["command", words, {}] for words in (level3, level2)))
    for words, text in zip((level3, level2), theirs, strict=True):
        assert main(["asn", "from-list", *words]) == 0
        lines = [
            [s for s in t.splitlines() if "code_version" not in s] for t in (Path(words[1]).read_text(), text)
        ]
        assert lines[0] == lines[1]


def test_level2_inputs_are_taken_as_the_peer_takes_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a_rate.fits", "b_rate.fits"):
        Path(name).touch()
    tree = {
        "program": "7",
        "products": [{"name": "x", "members": [{"expname": "a_rate.fits", "exptype": "science"}]}],
    }
    Path("min_asn.json").write_text(json.dumps(tree))
    asn_from_list(["a_rate.fits", "b_rate.fits"], rule="DMSLevel2bBase").save("made_asn.json")
    for init, theirs in zip(
        inputs := ("a_rate.fits", ["a_rate.fits", "b_rate.fits"], "min_asn.json", "made_asn.json"),
        ask(tmp_path, *(["level2", [init], {}] for init in inputs)),
        strict=True,
    ):
        ours = {k: v for k, v in as_level2(init).data.items() if k != "code_version"}
        assert ours == {k: v for k, v in theirs.items() if k != "code_version"}, init


def test_the_peer_opens_members_by_our_association(tmp_path):
    (tmp_path / "asn").mkdir()
    names = ["b_cal.fits", "a_cal.fits", "k_cal.fits"]
    pairs = list(zip(names, ("science", "science", "background"), strict=True))
    asn_from_list(pairs, product_name="mosaic", with_exptype=True).save(tmp_path / "asn" / "l3_asn.json")
    path = str(tmp_path / "asn" / "l3_asn.json")
    images = [f"asn/{name}" for name in names]
    _, (container, library, product) = ask(tmp_path, ["images", [images], {}], ["opened", [path], {}])
    assert container == [list(pair) for pair in pairs]
    assert library == [[name, "science", "l3_asn.json"] for name in names[:2]]
    assert product == "mosaic"
