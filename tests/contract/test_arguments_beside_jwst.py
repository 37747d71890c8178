"""Classes are made of what those of jwst are made of: `arguments.csv` has all of their arguments."""

import json
import os
import subprocess

import pytest

from webbcal import datamodels
from webbcal.datamodels.table import making_of, rows_of

PEER = os.environ.get("WEBBCAL_PEER_PYTHON")
pytestmark = pytest.mark.skipif(not PEER, reason="WEBBCAL_PEER_PYTHON names no Python with stdatamodels")

#: Prints, by class: arguments beyond those of all classes, metadata of a model of nothing, and whether
#: saving leaves the date alone.
SCRIPT = """
import inspect, json, warnings
warnings.simplefilter("ignore")
from stdatamodels import DataModel, properties
from stdatamodels.jwst import datamodels as dm

def arguments(cls):
    classes = [c for c in cls.__mro__ if "__init__" in vars(c) and not issubclass(DataModel, c)]
    names = {name for c in classes for name in inspect.signature(c.__init__).parameters}
    return sorted(names - {"self", "init", "args", "kwargs"})

def made(cls):
    flat = cls().to_flat_dict(include_arrays=False)
    return {k: "".join(str(v).split()) for k, v in flat.items() if k not in ("meta.date", "meta.model_type")}

classes = {name: getattr(dm, name) for name in dm.__all__ if name.endswith("Model") and name != "AsnModel"}
own = (DataModel, dm.JwstDataModel, dm.AmiOIModel)
keeps = lambda cls: next(c for c in cls.__mro__ if "on_save" in vars(c)) not in own
print(json.dumps({n: [arguments(c), made(c), keeps(c)] for n, c in classes.items()}))
"""
#: Objects of astropy, and the type of a reference that jwst does not set by itself.
OTHERWISE = {"DistortionMRSModel": {"meta.input_units", "meta.output_units"}}


@pytest.fixture(scope="module")
def theirs():
    done = subprocess.run([PEER, "-c", SCRIPT], capture_output=True, text=True, timeout=600, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_all_arguments_are_taken(theirs):
    wrong = {}
    for name, (arguments, _, _) in theirs.items():
        ours = set(making_of(getattr(datamodels, name)).arguments)
        if ours != set(arguments):
            wrong[name] = ours ^ set(arguments)
    assert not wrong
    assert {row["model"] for row in rows_of("arguments")} <= set(theirs)


def test_a_model_of_nothing_has_the_same_metadata(theirs):
    for name, (_, made, _) in theirs.items():
        flat = getattr(datamodels, name)().to_flat_dict(include_arrays=False)
        wanted = {path: value for path, value in made.items() if path not in OTHERWISE.get(name, ())}
        assert wanted.items() <= flat.items(), name


def test_saving_leaves_the_date_of_the_same_types(theirs):
    keep = {name for name, (_, _, keeps) in theirs.items() if keeps}
    assert keep == {row["model"] for row in rows_of("arguments") if row["saved_as"]}
