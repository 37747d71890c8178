"""Parameter files: reading, writing, the older forms, and both directions with the peer."""

import json
import os
import subprocess
import sys

import asdf
import numpy as np
import pytest

from webbcal.core.errors import OutputError, ParameterError
from webbcal.references.parameter_file import PLACEHOLDER, ParameterFile

PEER = os.environ.get("WEBBCAL_PEER_PYTHON")
needs_peer = pytest.mark.skipif(not PEER, reason="WEBBCAL_PEER_PYTHON is not set")

# The form of the files of the teaching notebooks (seed 004).
NOTEBOOK = """#ASDF 1.0.0
#ASDF_STANDARD 1.5.0
%YAML 1.1
%TAG ! tag:stsci.edu:asdf/
--- !core/asdf-1.1.0
asdf_library: !core/software-1.0.0 {author: S. T. S. I., homepage: 'http://x', name: asdf,
  version: 2.7.3}
history:
  extensions:
  - !core/extension_metadata-1.0.0
    extension_class: asdf.extension.BuiltinExtension
    software: !core/software-1.0.0 {name: asdf, version: 2.7.3}
class: jwst.pipeline.calwebb_detector1.Detector1Pipeline
name: Detector1Pipeline
parameters: {save_calibrated_ramp: true, output_dir: ./, post_hooks: []}
steps:
- class: jwst.refpix.refpix_step.RefPixStep
  name: refpix
  parameters: {use_side_ref_pixels: true, side_gain: 1.0}
- class: jwst.jump.jump_step.JumpStep
  name: jump
  parameters: {rejection_threshold: 6, output_file: null}
...
"""


@pytest.fixture
def tree():
    jump = ParameterFile("jwst.jump.jump_step.JumpStep", "jump", {"rejection_threshold": 6.5, "skip": False})
    refpix = ParameterFile(
        "jwst.refpix.refpix_step.RefPixStep", "refpix", {"side_gain": 1.25, "suffix": None}
    )
    return ParameterFile(
        "jwst.pipeline.calwebb_detector1.Detector1Pipeline",
        "Detector1Pipeline",
        {"save_results": True, "pre_hooks": []},
        [refpix, jump],
    )


def test_round_trip(tree, tmp_path):
    tree.write(tmp_path / "p.asdf")
    assert ParameterFile.read(tmp_path / "p.asdf") == tree
    assert tree.short_class == "Detector1Pipeline"
    with asdf.open(tmp_path / "p.asdf") as file:
        assert list(file.tree)[-4:] == ["class", "name", "parameters", "steps"]


def test_pipelines_in_pipelines(tree, tmp_path):
    outer = ParameterFile("x.Outer", "outer", {}, [tree])
    outer.write(tmp_path / "p.asdf")
    assert ParameterFile.read(tmp_path / "p.asdf").steps[0].steps[1].parameters["rejection_threshold"] == 6.5


def test_a_file_of_the_notebooks_is_read_without_asdf(tmp_path):
    path = tmp_path / "p.asdf"
    path.write_text(NOTEBOOK)
    file = ParameterFile.read(path)
    assert file.parameters == {"save_calibrated_ramp": True, "output_dir": "./", "post_hooks": []}
    assert [(s.name, s.short_class) for s in file.steps] == [("refpix", "RefPixStep"), ("jump", "JumpStep")]
    assert file.steps[1].parameters == {"rejection_threshold": 6, "output_file": None}
    script = (
        "import sys; from webbcal.references.parameter_file import ParameterFile as P; "
        "P.read(sys.argv[1]); print('asdf' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "False", done.stderr


def test_content_beyond_plain_yaml_is_read_by_asdf(tmp_path):
    steps = np.arange(3)
    tree = {"class": "JumpStep", "name": "jump", "parameters": {"numbers": steps}}
    asdf.AsdfFile(tree).write_to(tmp_path / "p.asdf")
    np.testing.assert_array_equal(ParameterFile.read(tmp_path / "p.asdf").parameters["numbers"], steps)


def test_the_older_asdf_layout(tmp_path):
    jump = {"class": "jwst.jump.JumpStep", "rejection_threshold": 3}
    values = {
        "class": "jwst.pipeline.Detector1Pipeline",
        "name": "d1",
        "skip": False,
        "steps": {"jump": jump},
    }
    asdf.AsdfFile({"parameters": values}).write_to(tmp_path / "p.asdf")
    expected = ParameterFile("jwst.jump.JumpStep", "jump", {"rejection_threshold": 3})
    assert ParameterFile.read(tmp_path / "p.asdf") == ParameterFile(
        "jwst.pipeline.Detector1Pipeline", "d1", {"skip": False}, [expected]
    )


CFG = """
# a pipeline
name = "Detector1Pipeline"
class = 'jwst.pipeline.Detector1Pipeline'
save_calibrated_ramp = True   # also the ramp
[steps]
  [[jump]]
    rejection_threshold = 3.5
    pre_hooks = "a, b", c
  [[dark_current]]
    config_file = dark.cfg
    skip = False
"""


def test_text_in_sections_with_named_files(tmp_path):
    (tmp_path / "p.cfg").write_text(CFG)
    (tmp_path / "dark.cfg").write_text(
        'class = jwst.dark_current.DarkCurrentStep\nname = x\nskip = True\nsuffix = """a\nb"""\n'
    )
    file = ParameterFile.read(tmp_path / "p.cfg")
    assert (file.short_class, file.name) == ("Detector1Pipeline", "Detector1Pipeline")
    assert file.parameters == {"save_calibrated_ramp": "True"}
    jump, dark = file.steps
    assert jump.parameters == {"rejection_threshold": "3.5", "pre_hooks": ["a, b", "c"]}
    assert (dark.name, dark.short_class) == ("dark_current", "DarkCurrentStep")
    assert dark.parameters == {"skip": "False", "suffix": "a\nb"}  # what names the file has the last word


def test_values_are_written_as_yaml_has_them(tmp_path):
    values = {
        "a": np.float64(2.5),
        "b": (1, 2),
        "c": tmp_path,
        "hook": json.dumps,
        "override_dark": "/d.fits",
    }
    values |= {"override_gain": object(), "override_mask": None}
    ParameterFile("JumpStep", None, values).write(tmp_path / "p.asdf")
    file = ParameterFile.read(tmp_path / "p.asdf")
    assert file.name == "JumpStep"
    assert file.parameters == {
        "a": 2.5,
        "b": [1, 2],
        "c": str(tmp_path),
        "hook": "json.dumps",
        "override_dark": "/d.fits",
    }


def test_metadata_for_crds(tree, tmp_path):
    tree.meta = {"author": "A. Person"}
    tree.write(tmp_path / "p.asdf", include_metadata=True)
    meta = ParameterFile.read(tmp_path / "p.asdf").meta
    assert set(meta) == {
        *(
            "author",
            "date",
            "description",
            "instrument",
            "origin",
            "pedigree",
            "reftype",
            "telescope",
            "useafter",
        )
    }
    assert (meta["author"], meta["pedigree"], meta["instrument"]) == (
        "A. Person",
        PLACEHOLDER,
        {"name": PLACEHOLDER},
    )


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"#ASDF 1.0.0\n%YAML 1.1\n---\n{}\n...\n", "parameters"),
        (b"#ASDF 1.0.0\n%YAML 1.1\n---\nparameters: {a: 1}\n...\n", "class"),
        (b"#ASDF 1.0.0\n%YAML 1.1\n---\nclass: [broken\n...\n", "damaged"),
        (b"#ASDF 1.0.0\n", "empty"),
        (b"just words\n", "line 1"),
        (b"[a\nb = 2\n", "line 1"),
        (b"[[a]]\n", "line 1"),
        (b"\xff\xfe\x00", "neither"),
        (b'a = """b\n', "not closed"),
    ],
)
def test_what_is_wrong_is_said(content, what, tmp_path):
    (tmp_path / "p.asdf").write_bytes(content)
    with pytest.raises(ParameterError, match=rf"p\.asdf is no parameter file.*{what}"):
        ParameterFile.read(tmp_path / "p.asdf")


def test_missing_and_unwritable(tree, tmp_path):
    with pytest.raises(ParameterError, match="nowhere"):
        ParameterFile.read(tmp_path / "nowhere.asdf")
    with pytest.raises(OutputError, match="cannot be written"):
        tree.write(tmp_path / "no" / "folder.asdf")
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- with the peer


def peer(script, *arguments):
    environment = os.environ | {"STPIPE_DISABLE_CRDS_STEPPARS": "true"}
    done = subprocess.run(
        [PEER, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


PEER_READS = """
import json, sys
from jwst.stpipe import Step
p = Step.from_config_file(sys.argv[1])
print(json.dumps([type(p).__name__, p.save_results, p.jump.rejection_threshold, p.jump.override_gain,
                  p.refpix.side_gain, p.refpix.suffix, p.dark_current.skip]))
"""


@needs_peer
def test_the_peer_reads_what_we_write(tree, tmp_path):
    tree.steps[1].parameters["override_gain"] = "gain.fits"
    for metadata in (False, True):
        tree.write(tmp_path / "p.asdf", include_metadata=metadata)
        found = json.loads(peer(PEER_READS, tmp_path / "p.asdf"))
        assert found == ["Detector1Pipeline", True, 6.5, "gain.fits", 1.25, None, False]


PEER_WRITES = """
import sys
from jwst.pipeline import Detector1Pipeline
from jwst.jump import JumpStep
p = Detector1Pipeline(steps={"jump": {"rejection_threshold": 7.5}})
p.linearity.skip = True
p.export_config(sys.argv[1], include_metadata=True)
JumpStep(minimum_groups=4).export_config(sys.argv[2])
print("done")
"""


@needs_peer
def test_we_read_what_the_peer_writes_and_it_reads_it_again(tmp_path):
    peer(PEER_WRITES, tmp_path / "p.asdf", tmp_path / "j.asdf")
    file = ParameterFile.read(tmp_path / "p.asdf")
    steps = {s.name: s for s in file.steps}
    assert file.short_class == "Detector1Pipeline"
    assert steps["jump"].parameters["rejection_threshold"] == 7.5
    assert steps["linearity"].parameters["skip"] is True
    assert file.meta["description"].startswith("Parameters for")
    assert ParameterFile.read(tmp_path / "j.asdf").parameters["minimum_groups"] == 4
    file.write(tmp_path / "again.asdf")
    found = json.loads(peer(PEER_READS, tmp_path / "again.asdf"))
    assert found == ["Detector1Pipeline", False, 7.5, None, 1.0, None, False]
    assert ParameterFile.read(tmp_path / "again.asdf") == file
