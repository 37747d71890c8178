"""The tests of `jwst` itself, on webbcal: those that count pass, but for those listed with a reason."""

import csv
import os
import shutil
import tempfile
from pathlib import Path

import own_tests
import pytest
import tree
from surface import Package, is_public

PEER = os.environ.get("WEBBCAL_PEER_PYTHON")
needs_peer = pytest.mark.skipif(not PEER, reason="WEBBCAL_PEER_PYTHON is not set")
#: The part that passes, at least, of those that concern what webbcal has.
SHARE = 0.9


@pytest.mark.parametrize(
    "name",
    [
        "jwst.jump.JumpStep", "jwst.jump.jump_step.JumpStep.call",
        "jwst.pipeline.calwebb_image2.Image2Pipeline",
        "jwst.datamodels.dqflags.pixel", "stdatamodels.jwst.datamodels.ImageModel", "jwst.stpipe.Step",
        "jwst.associations.asn_from_list.asn_from_list",
        "jwst.associations.lib.rules_level3_base.DMS_Level3_Base",
    ],
)  # fmt: skip
def test_what_is_public(name):
    assert is_public(name)


@pytest.mark.parametrize(
    "name",
    [
        "jwst.jump.jump.detect_jumps", "jwst.jump.jump_step.JumpStep._helper", "jwst.photom.photom.DataSet",
        "jwst.lib.reffile_utils", "jwst.datamodels.library._private", "jwst.stpipe.utilities.all_steps",
    ],
)  # fmt: skip
def test_what_is_internal(name):
    assert not is_public(name)


def test_names_are_followed_through_fixtures_and_helpers(tmp_path):
    tests = tmp_path / "jump" / "tests"
    tests.mkdir(parents=True)
    (tests / "helpers.py").write_text("from jwst.jump.jump import inner\n\ndef made():\n    return inner()\n")
    (tests / "test_it.py").write_text(
        "import pytest\nfrom jwst.jump import JumpStep\nfrom jwst.jump.tests.helpers import made\n"
        "@pytest.fixture\ndef model():\n    return made()\n"
        "def test_public():\n    JumpStep()\n"
        "def test_internal(model):\n    JumpStep.call(model)\n"
        "def test_patched(monkeypatch):\n    monkeypatch.setattr('jwst.jump.jump.inner', None)\n"
        "def test_executed():\n    JumpStep.from_code('rules.py')\n"
    )
    (tests / "rules.py").write_text("from jwst.associations.lib.constraint import Constraint\n")
    package = Package(tmp_path)
    assert [name for _, name in package.tests()] == [
        "test_public",
        "test_internal",
        "test_patched",
        "test_executed",
    ]
    found = {name: package.names_of(file, name) for file, name in package.tests()}
    assert found["test_public"] == {"jwst.jump.JumpStep"}
    assert found["test_internal"] == {"jwst.jump.JumpStep.call", "jwst.jump.jump.inner"}
    assert found["test_patched"] == {"jwst.jump.jump.inner"}
    assert found["test_executed"] == {
        "jwst.jump.JumpStep.from_code",
        "jwst.associations.lib.constraint.Constraint",
    }


def test_what_is_not_there_takes_only_what_uses_it_away():
    code = tree.guarded(
        "from jwst.nothing import Made\nTABLE = [Made()]\nimport os\ndef test():\n    Made()\n"
    )
    names: dict = {}
    exec(code, names)
    assert "TABLE" not in names and names["os"] is os
    with pytest.raises(ImportError):
        names["test"]()


def test_the_list_gives_reasons():
    rows = own_tests.expected()
    assert len(rows) == len({row["test"] for row in rows})
    for row in rows:
        assert row["kind"] in ("unbuilt", "gap", "difference", "internal"), row
        assert row["reason"] and row["where"], row


@needs_peer
def test_of_jwst_on_webbcal():
    """Those listed fail, all others pass, and enough do."""
    folder = Path(tempfile.mkdtemp(prefix="jwst_own_"))
    try:
        results = own_tests.run(str(PEER), "webbcal", own_tests.PASSING.read_text().splitlines(), folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    verdict = own_tests.judged(results)
    assert not verdict.unexplained, "\n".join(verdict.unexplained)
    assert not verdict.passing_now, f"these pass now, take them from expected.csv: {verdict.passing_now}"
    assert verdict.share >= SHARE, verdict


def test_the_list_is_of_tests_that_count():
    with own_tests.EXPECTED.open(newline="") as file:
        listed = [row["test"] for row in csv.DictReader(file)]
    counting = set(own_tests.PASSING.read_text().splitlines())
    whole = {name.partition("[")[0] for name in counting}
    assert not [name for name in listed if name not in counting | whole]
