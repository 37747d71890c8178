"""What people open spectra with: specutils and jdaviz take our products as they take jwst's.

Their environment is that of the variable WEBBCAL_READERS_PYTHON. Without it, specutils is looked for in the
peer's, and jdaviz is not tried.
"""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import spectrum_cases as cases
from extraction_runs import Job, run_both
from peer_process import PEER, needs_peer
from rectified_cases import spectrum

from webbcal import datamodels
from webbcal.combine.rectified.resample_spec import ResampleSpecStep

READERS = os.environ.get("WEBBCAL_READERS_PYTHON")


def has(package):
    """Tell whether a package can be imported where the readers are."""
    python = READERS or PEER
    command = [str(python), "-c", f"import importlib.util as u, sys; sys.exit(not u.find_spec('{package}'))"]
    return bool(python) and subprocess.run(command, capture_output=True, check=False).returncode == 0


pytestmark = [
    needs_peer,
    pytest.mark.skipif(not has("specutils"), reason="no specutils where WEBBCAL_READERS_PYTHON points"),
    pytest.mark.xdist_group("readers"),
]
JDAVIZ = bool(READERS) and has("jdaviz")
needs_jdaviz = pytest.mark.skipif(not JDAVIZ, reason="no jdaviz: WEBBCAL_READERS_PYTHON is not set to one")

#: Products, and how many spectra specutils reads of each: none of time series, whose tables in the form of
#: jwst 3 specutils 2.4 does not know.
PRODUCTS = {"slit": 1, "slits": 2, "field": 2, "mean": 1, "means": 2, "series": 0}


@pytest.fixture(scope="module")
def opened(tmp_path_factory, world):
    """What the readers make of our product and of the peer's, by name; of spectra by source, ours alone."""
    folder = tmp_path_factory.mktemp("readers")
    files = {name: (pair.ours[0], pair.theirs[0]) for name, pair in _products(folder, world).items()}
    own = {"by source": folder / "by_source_x1d.fits", "rectified": folder / "rectified_s2d.fits"}
    datamodels.MultiSpecModel(files["field"][0]).save(own["by source"])
    slit = spectrum(seed=1)
    slit.meta.telescope = "JWST"
    ResampleSpecStep().run(slit).save(own["rectified"])
    every = [*(f for both in files.values() for f in both), *map(str, own.values())]
    (folder / "files.json").write_text(json.dumps(every))
    script = Path(__file__).parent / "peer_scripts" / "readers.py"
    words = [str(READERS or PEER), str(script), str(folder / "files.json"), str(folder / "found.json")]
    words += ["jdaviz"] if JDAVIZ else []
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((folder / "found.json").read_text())
    made = {name: (found[ours], found[theirs]) for name, (ours, theirs) in files.items()}
    return made | {name: (found[str(path)], path) for name, path in own.items()}


def _products(folder, world):
    """Return pairs of products of both packages."""
    inputs = {
        "slit": cases.slit(),
        "field": cases.field(2, sources=(3,)),
        "series": cases.slit("NRC_TSGRISM", nints=3),
    }
    several = cases.field(1, orders=(1,), exp_type="MIR_LRS-FIXEDSLIT")
    for slit in several.slits:
        slit.meta.instrument = {"name": "MIRI", "filter": "P750L", "grating": None}
    inputs["slits"] = several
    for name, model in inputs.items():
        model.save(folder / f"{name}_cal.fits")
    fixed = {"override_apcorr": "N/A", "override_psf": "N/A", "use_source_posn": False}
    fixed["override_extract1d"] = cases.extract1d(folder, {"id": "ANY"})
    jobs = {name: Job("extract_1d", folder / f"{name}_cal.fits", fixed) for name in inputs}
    first = run_both(jobs, folder, world.environment)
    then = {
        "mean": Job("combine_1d", Path(first["slit"].ours[0])),
        "means": Job("combine_1d", Path(first["field"].ours[0])),
    }
    pairs = first | run_both(then, folder, world.environment)
    assert not {name: pair.error for name, pair in pairs.items() if pair.error}
    return pairs


def assert_alike(ours, theirs):
    """Assert that the same spectra were read: shapes, units, sums."""
    for a, b in zip(ours, theirs, strict=True):
        assert a.keys() == b.keys()
        for part in a:
            assert a[part][:-1] == b[part][:-1], part
            assert a[part][-1] == pytest.approx(b[part][-1], rel=1e-5)


@pytest.mark.parametrize("name", PRODUCTS)
def test_specutils_takes_ours_as_theirs(name, opened):
    ours, theirs = opened[name]
    read = [kind for kind in ("one", "list") if isinstance(theirs[kind], list)]
    assert [kind for kind in ("one", "list") if isinstance(ours[kind], list)] == read
    assert max((len(ours[kind]) for kind in read), default=0) == PRODUCTS[name]
    for kind in read:
        assert_alike(ours[kind], theirs[kind])


@needs_jdaviz
def test_specviz_takes_ours_as_theirs(opened):
    shown = set()
    for name in PRODUCTS:
        ours, theirs = (made["Specviz"] for made in opened[name])
        assert isinstance(ours, list) == isinstance(theirs, list), (name, ours, theirs)
        if isinstance(theirs, list):
            assert_alike(ours, theirs)
            shown.add(name)
    assert shown >= {"slit", "mean"}


def test_a_rectified_spectrum_is_read_as_one(opened):
    """Its wavelengths have to be the same in all rows, to the last bit."""
    read, path = opened["rectified"]
    with datamodels.open(path) as model:
        total, (rows, columns) = float(np.nansum(model.data)), sorted(model.shape)
    found = [read["one"]] + ([read["Specviz2d"][:1]] if JDAVIZ else [])
    for (one,) in found:
        assert one["flux"][:2] == [[rows, columns], "MJy / sr"] and one["axis"][:2] == [[columns], "um"]
        assert one["flux"][2] == pytest.approx(total, rel=1e-6)


def test_spectra_by_source_are_a_list_for_all(opened):
    """A field that was opened as spectra one by one, and saved: the form that Mosviz wants."""
    read, path = opened["by source"]
    with datamodels.open(path) as model:
        sums = [float(np.nansum(s.spec_table["FLUX"])) for s in model.spec]
    assert [one["flux"][-1] for one in read["list"]] == pytest.approx(sums, rel=1e-6)
