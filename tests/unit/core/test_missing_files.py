"""A file that is not there is a `FileNotFoundError`, whoever opens it, and still the error of its kind."""

import errno
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from webbcal import datamodels
from webbcal.associations import Association, load_association
from webbcal.combine.alignment.catalogs import read_catalog_list
from webbcal.combine.alignment.tweakreg import TweakRegStep
from webbcal.core.errors import (
    InputError,
    MissingInputError,
    ParameterError,
    ReferenceFileError,
    WebbcalError,
    unreadable,
)
from webbcal.detector.ipc import IPCStep
from webbcal.io.file_handle import FileHandle
from webbcal.references.files import sha256_of
from webbcal.references.parameter_file import ParameterFile
from webbcal.references.reference import Reference
from webbcal.run.logcfg import read_settings

GONE = "gone.fits"

OPENINGS: dict[str, tuple[type[WebbcalError], Callable[[], Any]]] = {
    "a model": (InputError, lambda: datamodels.open(GONE)),
    "a model of a class": (InputError, lambda: datamodels.ImageModel(Path(GONE))),
    "a file of a model": (InputError, lambda: FileHandle(GONE).size),
    "the input of a step": (InputError, lambda: IPCStep().run(GONE)),
    "the input of a list step": (InputError, lambda: TweakRegStep().run([GONE])),
    "an association": (InputError, lambda: load_association("gone.json")),
    "a member": (
        InputError,
        lambda: Association(
            {"products": [{"name": "a", "members": [{"expname": GONE, "exptype": "science"}]}]}
        ).require_files(),
    ),
    "a list of catalogues": (InputError, lambda: read_catalog_list(GONE)),
    "a reference": (ReferenceFileError, lambda: Reference("gain", GONE, "override").model),
    "the digest of a reference": (ReferenceFileError, lambda: sha256_of(GONE)),
    "a parameter file": (ParameterError, lambda: ParameterFile.read("gone.asdf")),
    "a parameter file of a step": (ParameterError, lambda: IPCStep.from_config_file("gone.asdf")),
    "a logging configuration": (ParameterError, lambda: read_settings("gone.cfg")),
}


@pytest.mark.parametrize("what", OPENINGS)
def test_a_missing_file_is_one_to_whoever_catches_it(what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kind, opening = OPENINGS[what]
    with pytest.raises(FileNotFoundError, match="gone") as caught:
        opening()
    assert isinstance(caught.value, kind)
    assert caught.value.errno == errno.ENOENT


def test_an_override_that_is_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ramp = datamodels.RampModel((1, 2, 4, 4))
    with pytest.raises(FileNotFoundError, match=r"gone.*override_ipc") as caught:
        IPCStep(override_ipc=GONE).get_reference_file(ramp, "ipc")
    assert isinstance(caught.value, ReferenceFileError)


def test_a_file_named_in_a_parameter_file(tmp_path):
    pars = tmp_path / "image2.cfg"
    pars.write_text('class = "Image2Pipeline"\n[steps]\n[[photom]]\nconfig_file = "gone.cfg"\n')
    with pytest.raises(FileNotFoundError, match=r"gone\.cfg"):
        ParameterFile.read(pars)


def test_what_cannot_be_read_for_another_reason_is_not_missing(tmp_path):
    with pytest.raises(InputError) as caught:
        datamodels.open(tmp_path)
    assert not isinstance(caught.value, FileNotFoundError)
    assert type(unreadable(InputError, "it is a folder", IsADirectoryError())) is InputError


def test_the_error_reads_as_its_sentence_and_travels():
    error = pickle.loads(pickle.dumps(MissingInputError("a.fits: is not there")))
    assert str(error) == "a.fits: is not there" and error.errno == errno.ENOENT
