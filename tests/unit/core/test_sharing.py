"""Trees that are small in a file and endless in memory are refused, wherever text is read."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from webbcal import datamodels
from webbcal.associations.reading import load_association
from webbcal.cli.main import main
from webbcal.core.errors import InputError, ParameterError
from webbcal.core.sharing import check_size
from webbcal.io.asdf_text import Tagged
from webbcal.references.parameter_file import ParameterFile

TENFOLD = "a0: &a0 [0,0,0,0,0,0,0,0,0,0]\n" + "".join(
    f"a{k}: &a{k} [{','.join([f'*a{k - 1}'] * 10)}]\n" for k in range(1, 9)
)
ENDLESS = "mine: &mine {again: *mine}\n"
HEAD = b"#ASDF 1.0.0\n#ASDF_STANDARD 1.6.0\n%YAML 1.1\n%TAG ! tag:stsci.edu:asdf/\n--- !core/asdf-1.1.0\n"


def asdf_of(text):
    return HEAD + b"meta: {model_type: ImageModel}\n" + text.encode() + b"...\n"


@pytest.fixture(params=[TENFOLD, ENDLESS], ids=["tenfold", "endless"])
def text(request):
    return request.param


def test_asdf_file(text, capsys):
    Path("a.asdf").write_bytes(asdf_of(text))
    with pytest.raises(InputError, match=r"a\.asdf.*(refers to its own parts|contains itself)"):
        datamodels.open("a.asdf")
    assert main(["info", "a.asdf"]) == 1 and "a.asdf" in capsys.readouterr().err


def test_asdf_extension(text, tmp_path):
    cell = np.frombuffer(asdf_of(text), "u1")
    table = np.array([(cell,)], [("ASDF_METADATA", "u1", cell.shape)])
    path = datamodels.ImageModel(np.ones((4, 4), "f4")).save(tmp_path / "a.fits")
    with fits.open(path, mode="update") as hdus:
        del hdus["ASDF"]
        hdus.append(fits.BinTableHDU(table, name="ASDF"))
    with datamodels.open(path) as model:
        assert model.data.sum() == 16  # the extension is not looked at
        with pytest.raises(InputError, match=r"a\.fits: the ASDF extension"):
            list(model.keys())


def test_association(text):
    Path("a_asn.yaml").write_text("products: [{name: x, members: [{expname: a, exptype: science}]}]\n" + text)
    with pytest.raises(InputError, match=r"a_asn\.yaml: not an association: (it refers|a part)"):
        load_association("a_asn.yaml")


def test_parameter_file(text):
    Path("p.asdf").write_bytes(HEAD + text.encode() + b"...\n")
    with pytest.raises(ParameterError, match=r"p\.asdf"):
        ParameterFile.read("p.asdf")


def test_what_is_in_tagged_values_counts():
    value = Tagged("a", [0] * 10)
    for _ in range(8):
        value = Tagged("a", [value] * 10)
    with pytest.raises(InputError, match="stands for over"):
        check_size({"wcs": value}, Tagged)


def test_what_many_slits_share_is_read():
    distortion = Tagged("a", [0.0] * 100_000)
    wcs = [Tagged("wcs", {"steps": [distortion, k]}) for k in range(1000)]
    check_size({"slits": [{"wcs": one} for one in wcs]}, Tagged)


def test_a_tagged_value_may_refer_back_to_itself():
    value = Tagged("transform", {"name": "x"})
    value.value["inverse"] = value
    check_size([value], Tagged)


def test_what_is_the_same_need_not_be_shared_to_be_small():
    check_size([[1, 2, 3]] * 1000)
