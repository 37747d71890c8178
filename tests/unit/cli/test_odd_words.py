"""Words on the command line that make no sense: each command says what is wrong, and leaves nothing."""

from pathlib import Path

import numpy as np
import pytest

from webbcal import datamodels
from webbcal.associations import asn_from_list, load_association
from webbcal.cli.main import main
from webbcal.core.errors import InputError, OutputError
from webbcal.run.configuration import Arguments, parse_arguments

CASES = [
    (["info", "--tre", "a_cal.fits"], "info has no option '--tre'; did you mean '--tree'?"),
    (["info", "a\0b.fits"], "null"),
    (["info", "x" * 5000], "too long"),
    (["run", "dq_init", "a\0b.fits"], "null"),
    (["plan", "dq_init", "x" * 300 + ".fits"], "too long"),
    (["pointing", "a\0b.fits"], "null"),
    (["asn", "from-list", "a_cal.fits", "-o", ".", "--product-name=x"], "is a folder"),
    (["simulate", "text.txt"], "text.txt"),
    (["simulate", "text.txt/below"], "text.txt"),
    (["simulate", "out", "--seed=-1"], "seeds cannot be negative"),
    (["demo", "--output_dir=text.txt"], "text.txt"),
    (["demo", "mosaic", "--output_dir=text.txt", "--subarray=SUB64P"], "text.txt"),
    (
        ["run", "jump", "a_cal.fits", "--rejection_threshold.x=1", "--rejection_threshold=2"],
        "rejection_threshold",
    ),
]


def there() -> set[str]:
    """What is in the folder, but for the cache of compiled kernels."""
    return {path.name for path in Path().iterdir()} - {"cache"}


@pytest.mark.parametrize(("words", "said"), CASES, ids=[" ".join(words)[:40] for words, _ in CASES])
def test_a_sentence(words, said, capsys):
    datamodels.ImageModel(np.ones((4, 4), "f4")).save("a_cal.fits")
    Path("text.txt").write_text("hello")
    before = there()
    assert main(words) in (1, 2)
    error = capsys.readouterr().err
    assert said in error.splitlines()[-1] and "Traceback" not in error
    assert there() == before


def test_a_null_in_the_name_of_a_member():
    with pytest.raises(InputError, match="missing"):
        asn_from_list(["a\0b_cal.fits"], product_name="x").require_files()


def test_an_association_is_not_saved_over_a_folder(tmp_path):
    with pytest.raises(OutputError, match="is a folder"):
        asn_from_list(["a_cal.fits"], product_name="x").save(tmp_path)


def test_dashes_and_underscores_are_the_same(tmp_path):
    """In names of options, of steps and of parameters; not in values."""
    words = "run --output-dir=a-b_c --steps.clean-flicker-noise.fit-method x_y-z --log_level=INFO"
    found = parse_arguments(
        [*words.split(), "--disable_crds_steppars", "--save_parameters=p_q-r", "i-n_rate.fits"]
    )
    assert found == Arguments(
        "run",
        ["i-n_rate.fits"],
        {"output_dir": "a-b_c", "steps": {"clean_flicker_noise": {"fit_method": "x_y-z"}}},
        {"log-level": "INFO", "save-parameters": "p_q-r"},
        {"disable-crds-steppars"},
    )
    path = tmp_path / "x_asn.json"
    assert main(["asn", "from-list", "a_cal.fits", f"--output_file={path}", "--product_name=a_b"]) == 0
    assert load_association(path).products[0].name == "a_b"
