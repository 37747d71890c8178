"""Read, write, look at and refuse associations."""

import json

import pytest

from webbcal.associations import Association, Member, Product, load_association
from webbcal.core.errors import InputError, OutputError, ParameterError

# Level 2 and 3, with the keys that archived ones have, and some that nobody knows.
LEVEL2 = {
    "asn_rule": "Asn_Lv2Spec",
    "asn_pool": "jw82600_001_20160304T145416_pool",
    "program": "82600",
    "asn_type": "spec2",
    "products": [
        {"name": "bkg", "members": [{"expname": "bkg_rate.fits", "exptype": "science"}]},
        {
            "name": "lrs",
            "remark": [1, {"a": None}],
            "members": [
                {"expname": "lrs_rate.fits", "exptype": "SCIENCE", "exposerr": None},
                {"expname": "bkg_rate.fits", "exptype": "background"},
            ],
        },
    ],
    "mine": {"kept": True},
}
LEVEL3 = {
    "degraded_status": "No known degraded exposures in association.",
    "version_id": "20160826t131159",
    "asn_type": "image3",
    "asn_id": "c3001",
    "asn_rule": "Asn_Image",
    "target": "1",
    "program": "99009",
    "products": [
        {
            "name": "jw99009-a3001_t001_nircam_f090w",
            "members": [
                {
                    "expname": f"jw_0000{n}_cal.fits",
                    "exptype": "science",
                    "group_id": n,
                    "tweakreg_catalog": "c",
                }
                for n in (3, 1, 2)
            ],
        }
    ],
}


def written(folder, data, name="x_asn.json"):
    path = folder / name
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


@pytest.mark.parametrize("tree", [LEVEL2, LEVEL3], ids=["level2", "level3"])
@pytest.mark.parametrize("name", ["out.json", "out.yaml"])
def test_round_trip_keeps_everything_and_order(tmp_path, tree, name):
    asn = load_association(written(tmp_path, tree))
    again = load_association(asn.save(tmp_path / name))
    assert again.data == tree
    assert [m.expname for p in again.products for m in p.members] == [
        m["expname"] for p in tree["products"] for m in p["members"]
    ]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["x_asn.json", name])  # nothing temporary
    if name == "out.json":
        assert list(again) == list(tree)


def test_views(tmp_path):
    asn = load_association(written(tmp_path, LEVEL2))
    lrs = asn.products[1]
    assert [m.expname for m in lrs.science] == ["lrs_rate.fits"]
    assert [m.expname for m in lrs.members_of("background", "psf")] == ["bkg_rate.fits"]
    assert len(lrs.members_of()) == 2
    assert lrs.extra == {"remark": [1, {"a": None}]}
    assert lrs.science[0] == Member("lrs_rate.fits", "science", {"exposerr": None})
    assert (asn.asn_type, asn.program, asn.asn_id) == ("spec2", "82600", None)
    assert asn.filename == "x_asn.json"
    catalog = load_association(written(tmp_path, LEVEL3)).products[0].members[0].extra["tweakreg_catalog"]
    assert asn.resolve(catalog) == tmp_path / "c"


def test_is_edited_like_a_dict(tmp_path):
    asn = load_association(written(tmp_path, LEVEL3))
    asn["products"][0]["members"].append({"expname": "b_cal.fits", "exptype": "background"})
    asn["program"] = "1"
    assert asn.products[0].members_of("background") == [Member("b_cal.fits", "background")]
    name, text = asn.dump(format="json")
    assert name == "jw1-o999_image3_00001_asn.json"
    assert json.loads(text) == asn.data
    assert text.startswith('{\n    "degraded_status": "No')


def test_made_of_products():
    asn = Association.of_products(
        [Product("p", (Member("a.fits"), Member("b.fits", "psf", {"k": 1})))], asn_type="coron3"
    )
    assert asn.data == {
        "asn_type": "coron3",
        "products": [
            {
                "name": "p",
                "members": [
                    {"expname": "a.fits", "exptype": "science"},
                    {"expname": "b.fits", "exptype": "psf", "k": 1},
                ],
            }
        ],
    }


def test_members_are_found_beside_the_association(tmp_path, monkeypatch):
    tree = {"products": [{"name": "p", "members": [{"expname": n, "exptype": "science"} for n in NAMES]}]}
    (tmp_path / "asn").mkdir()
    for name in ("asn/a.fits", "asn/sub/b.fits", "work/c.fits"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    tree["products"][0]["members"][-1]["expname"] = str(tmp_path / "work" / "c.fits")
    monkeypatch.chdir(tmp_path)
    asn = load_association(written(tmp_path / "asn", tree))
    paths = [asn.resolve(m) for m in asn.products[0].members]
    assert all(p.is_file() for p in paths)
    asn.require_files()
    (tmp_path / "asn" / "a.fits").unlink()
    # A name with a folder may also be meant from the working folder, as the peer's level 2 has it.
    (tmp_path / "asn" / "sub" / "b.fits").rename(tmp_path / "work" / "b.fits")
    asn["products"][0]["members"][1]["expname"] = "work/b.fits"
    with pytest.raises(InputError, match=r"x_asn.json: 1 of 3 member files are missing: .*asn/a.fits;"):
        asn.require_files()
    asn.require_files("background")


NAMES = ("a.fits", "sub/b.fits", "c.fits")


def member(**keys):
    return {"products": [{"name": "p", "members": [{"expname": "a.fits", "exptype": "science"} | keys]}]}


def without(key):
    tree = member()
    del tree["products"][0]["members"][0][key]
    return tree


TWICE = {"expname": "a.fits", "exptype": "Science"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("SIMPLE  = {", r"not JSON: .* at line 1, column 1"),
        ("", "not JSON"),
        ("[1]", "not an association"),
        ({"asn_type": "image3"}, "has no 'products'"),
        ({"products": []}, "at least one entry"),
        ({"products": [{"name": "p"}]}, r"product 1 \(p\): has no 'members'"),
        ({"products": ["p"]}, "product 1: must be an object"),
        ({"products": [{"name": 3, "members": []}]}, "name must be text"),
        ({"products": [{"name": "p", "members": []}]}, "at least one entry"),
        ({"products": [{"name": "p", "members": ["a.fits"]}]}, "member 1: must be an object"),
        (without("expname"), "member 1: has no 'expname'"),
        (without("exptype"), "member 1: has no 'exptype'"),
        (member(expname=None), "must be the name of a file, not None"),
        (member(exptype="sciense"), r"\(a.fits\): unknown exptype 'sciense'; did you mean 'science'"),
        (member(exptype=None), "unknown exptype None"),
        ({"products": [{"name": "p", "members": [TWICE, TWICE]}]}, "a.fits is there twice as science"),
        ({"products": [member()["products"][0]] * 2}, "product 2: the name 'p' is taken"),
        (member(expname="x_asn.json"), "lists itself as a member"),
        (member(expname="../{folder}/x_asn.json"), "lists itself as a member"),
        (
            member(expname="a_asn.json"),
            r"refers back to itself: x_asn.json → a_asn.json → b_asn.json → x_asn",
        ),
        (member(expname="c_asn.json"), "c_asn.json is itself an association"),
        (member(expname="d_asn.json"), "d_asn.json is itself an association"),
        (member(expname="gone_asn.json"), "gone_asn.json is itself an association"),
    ],
)
def test_refused(tmp_path, content, message):
    written(tmp_path, member(expname="b_asn.json"), "a_asn.json")
    written(tmp_path, member(expname="x_asn.json"), "b_asn.json")
    written(tmp_path, member(), "c_asn.json")
    written(tmp_path, member(expname="d_asn.json"), "d_asn.json")  # a cycle that does not come back here
    text = content if isinstance(content, str) else json.dumps(content).replace("{folder}", tmp_path.name)
    path = written(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        load_association(path)
    assert str(path) in str(caught.value)


def test_file_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="no such association"):
        load_association(tmp_path / "no_asn.json")
    with pytest.raises(InputError, match="cannot be read"):
        load_association(tmp_path)
    (tmp_path / "x.json").write_bytes(b"SIMPLE \xff\xfe\x00")
    with pytest.raises(InputError, match="it is no text"):
        load_association(tmp_path / "x.json")


def test_rates_and_integrations_of_an_exposure_share_a_name(tmp_path):
    products = [
        {"name": "p", "members": [{"expname": f"p_{s}.fits", "exptype": "science"}]}
        for s in ("rate", "rateints")
    ]
    assert len(load_association(written(tmp_path, {"products": products})).products) == 2


def test_comma_too_many_is_forgiven_with_a_warning(tmp_path, caplog):
    text = '{"products": [{"name": "p", "members": [\n {"expname": "a.fits", "exptype": "science",},\n]}]}'
    asn = load_association(written(tmp_path, text))
    assert asn.data == member()
    assert "line 2" in caplog.text


def test_yaml_is_read_with_a_warning(tmp_path, caplog):
    text = "products:\n- name: p\n  members:\n  - {expname: a.fits, exptype: science}\n"
    assert load_association(written(tmp_path, text, "x.yaml")).data == member()
    assert "deprecated" in caplog.text


def test_writing_refuses_what_reading_would(tmp_path):
    asn = Association(member(exptype="background"))
    with pytest.raises(InputError, match=r"out.json: no member is science"):
        asn.save(tmp_path / "out.json")
    with pytest.raises(InputError, match="unknown exptype"):
        Association(member(exptype="sciense")).dump()
    with pytest.raises(ParameterError, match="toml"):
        Association(member()).dump(format="toml")
    with pytest.raises(OutputError, match="cannot be written"):
        Association(member()).save(tmp_path / "no" / "out.json")
    assert not list(tmp_path.iterdir())
