"""`as_jwst()`: imports of jwst find webbcal, in this process and until it is undone."""

import importlib
import logging
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import webbcal
from webbcal import datamodels
from webbcal.cli.main import main
from webbcal.compat.page import renewed
from webbcal.compat.table import aliases, places
from webbcal.core import dqflags
from webbcal.core.errors import OutputError, WebbcalError
from webbcal.pipeline.other_modes import OtherModeStep
from webbcal.run.registry import STEPS, step_class
from webbcal.run.step import Step


@pytest.fixture
def standing():
    with webbcal.as_jwst() as standing:
        yield standing


def test_nothing_is_left(monkeypatch):
    before = set(sys.modules), list(sys.meta_path)
    with webbcal.as_jwst():
        importlib.import_module("jwst.datamodels.dqflags")
        assert "jwst.datamodels" in sys.modules
    after = {name for name in sys.modules if name.partition(".")[0] in ("jwst", "stpipe")}
    assert not after - before[0] and sys.meta_path == before[1]


def test_twice_is_once(standing):
    with webbcal.as_jwst():
        pass
    importlib.import_module("jwst.pipeline")


def test_every_step_is_where_scripts_look(standing):
    for alias, name in aliases().items():
        cls = step_class(alias)
        assert getattr(importlib.import_module(name), cls.__name__) is cls
        assert getattr(importlib.import_module(name.rpartition(".")[0]), cls.__name__) is cls


def test_no_step_is_forgotten():
    built = {alias for alias in STEPS if not issubclass(step_class(alias), OtherModeStep)}
    assert built == set(aliases())


def test_everything_in_the_table_is_there(standing):
    for name, place in places().items():
        module = importlib.import_module(name)
        for each in place.has:
            assert getattr(module, each) is not None, f"{name}.{each}"


def test_what_scripts_import(standing):
    code = """
from jwst import datamodels, __version__
from jwst.datamodels import ImageModel, ModelContainer, ModelLibrary, dqflags
from jwst.datamodels.dqflags import pixel
from stdatamodels import DataModel
from stdatamodels.jwst.datamodels import RampModel
from stcal.dqflags import interpret_bit_flags
from jwst.pipeline import Detector1Pipeline, calwebb_detector1
from jwst.pipeline.calwebb_image2 import Image2Pipeline
from jwst.jump import JumpStep, jump_step
from jwst.ramp_fitting.ramp_fit_step import RampFitStep
from jwst.stpipe import Pipeline, Step, query_step_status
from jwst.associations import asn_from_list, load_asn
from jwst.associations.asn_from_list import asn_from_list as function
from jwst.associations.lib.rules_level3 import Asn_Lv3Image
from jwst.step import PhotomStep
from jwst.datamodels import *
"""
    names: dict = {}
    exec(code, names)
    assert names["datamodels"].ImageModel is datamodels.ImageModel is names["ImageModel"]
    assert names["pixel"] is dqflags.pixel and names["Step"] is Step
    assert names["calwebb_detector1"].dq_init_step.DQInitStep is step_class("dq_init")
    assert names["asn_from_list"].asn_from_list is names["function"]
    assert names["__version__"].startswith("3.0.0+webbcal.")
    assert names["CubeModel"] is datamodels.CubeModel
    assert isinstance(datamodels.ImageModel(), names["DataModel"])


def test_what_is_taken_for_an_association(standing, tmp_path):
    names: dict = {}
    exec("from jwst.associations.load_as_asn import LoadAsAssociation, LoadAsLevel2Asn", names)
    load = names["LoadAsLevel2Asn"].load
    second = load(["a_rate.fits", "b_rate.fits"])
    assert [product["name"] for product in second["products"]] == ["a", "b"]
    assert second["asn_pool"] == "singleton"
    models = [datamodels.ImageModel((2, 2)), datamodels.ImageModel((2, 2))]
    assert [product["name"] for product in load(models, basename="mine.fits")["products"]] == [
        "mine",
        "mine_2",
    ]
    path = tmp_path / "two_asn.json"
    path.write_text(second.dump()[1])
    assert (
        names["LoadAsAssociation"].load(str(path))["products"] == second["products"] == load(path)["products"]
    )


def test_of_an_installed_package_the_modules_that_are_not_ours_are_there(tmp_path):
    inside = tmp_path / "stdatamodels" / "jwst" / "transforms"
    inside.mkdir(parents=True)
    for folder, text in [(inside.parents[1], "DataModel = 5"), (inside.parent, ""), (inside, "here = 7")]:
        (folder / "__init__.py").write_text(text)
    (inside.parents[1] / "schema.py").write_text("walk = 6")
    code = (
        "import webbcal; webbcal.as_jwst()\n"
        "from stdatamodels import DataModel, schema\n"
        "from stdatamodels.jwst import transforms\n"
        "print(DataModel.__module__, schema.walk, transforms.here)"
    )
    path = f"{tmp_path}:{Path(webbcal.__file__).parents[1]}"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    assert done.stdout == "webbcal.datamodels.model 6 7\n"


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import jwst.ami", "webbcal has no jwst.ami: what it has of jwst is listed in docs/as_jwst.md"),
        ("from jwst.jump import jump", "webbcal has no jwst.jump.jump; did you mean 'jump_step'?"),
        ("from jwst.datamodels import ImagModel", "did you mean 'ImageModel'?"),
        (
            "from jwst.gain_scale.gain_scale_step import do",
            "webbcal has no jwst.gain_scale.gain_scale_step.do",
        ),
        (
            "from stdatamodels.jwst.datamodels import schema_editor",
            "webbcal has no stdatamodels.jwst.datamodels.",
        ),
    ],
)
def test_what_is_not_there_says_so(standing, code, sentence):
    with pytest.raises(ImportError) as caught:
        exec(code)
    assert sentence in str(caught.value)


def test_jwst_that_is_imported_is_not_mixed_in(monkeypatch):
    foreign = ModuleType("jwst")
    foreign.__file__ = "/somewhere/jwst/__init__.py"
    monkeypatch.setitem(sys.modules, "jwst", foreign)
    with pytest.raises(WebbcalError, match=r"imported already from /somewhere.*before the first import"):
        webbcal.as_jwst()


def test_the_table_in_the_docs_is_true():
    page = Path(__file__).parents[3] / "docs/as_jwst.md"
    assert page.read_text() == renewed(page.read_text())


def test_a_script_runs(tmp_path):
    (tmp_path / "beside.py").write_text("VALUE = 5\n")
    (tmp_path / "script.py").write_text(
        "import sys\nfrom beside import VALUE\nfrom jwst.stpipe import Step\n"
        "print(Step.__module__, VALUE, sys.argv[1:], __name__)\n"
    )
    for words in (["script.py", "-x"], ["-m", "script", "-x"]):
        line = [sys.executable, "-m", "webbcal.as_jwst", *words]
        done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, check=True)
        assert done.stdout == "webbcal.run.step 5 ['-x'] __main__\n"


def test_the_module_can_be_called():
    code = "import webbcal.as_jwst; webbcal.as_jwst(); import jwst; print(jwst.__version__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("3.0.0+webbcal.")


def test_the_notebook_extension():
    code = "import webbcal; webbcal.load_ipython_extension(None); import jwst.jump"
    subprocess.run([sys.executable, "-c", code], check=True)


# ---------------------------------------------------------------- commands
def test_commands_by_the_names_of_jwst(capsys):
    assert main(["strun", "jump", "--help"]) == 0
    assert "rejection_threshold" in capsys.readouterr().out
    assert main(["asn_from_list", "-o", "a.json", "--product-name", "p", "b_cal.fits"]) == 0
    assert Path("a.json").is_file()


def test_commands_are_written_into_a_folder_and_removed(tmp_path, capsys):
    assert main(["commands", str(tmp_path / "bin")]) == 0
    assert "put the folder first on the PATH" in capsys.readouterr().out
    done = subprocess.run(
        [tmp_path / "bin/strun", "jump", "--help"], capture_output=True, text=True, check=True
    )
    assert "rejection_threshold" in done.stdout
    assert main(["commands", str(tmp_path / "bin"), "--remove"]) == 0
    assert not list((tmp_path / "bin").iterdir())


def test_commands_of_others_stay(tmp_path, capsys):
    (tmp_path / "strun").write_text("#!/bin/sh\n")
    assert main(["commands", str(tmp_path)]) == OutputError.exit_status
    assert "strun is there, and is not webbcal's" in capsys.readouterr().err
    assert (tmp_path / "strun").read_text() == "#!/bin/sh\n"


def test_call_logs_as_in_jwst(capsys):
    class Speaking(Step):
        def process(self, model):
            logging.getLogger("jwst.speaking").info("something was done")
            return model

    with webbcal.as_jwst():
        Speaking.call(datamodels.ImageModel())
    assert "something was done" in capsys.readouterr().err
    Speaking.call(datamodels.ImageModel())
    assert "something was done" not in capsys.readouterr().err
