"""What webbcal writes opens in stdatamodels as the same class with the same content, and the other way."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from peer_models import describe

from webbcal import datamodels
from webbcal.datamodels.table import dtype_of, is_array, is_table, model_rows, schema_of, walk
from webbcal.io.asdf_text import Tagged

SCRIPT = str(Path(__file__).parent / "peer_models.py")
PEER = os.environ.get("WEBBCAL_PEER_PYTHON")
pytestmark = [
    pytest.mark.skipif(not PEER, reason="WEBBCAL_PEER_PYTHON names no Python with stdatamodels"),
    pytest.mark.filterwarnings("ignore::webbcal.datamodels.ValidationWarning"),
]

CLASSES = [
    *("Level1bModel", "RampModel", "ImageModel", "CubeModel", "RampFitOutputModel", "MaskModel"),
    *("SaturationModel", "SuperBiasModel", "LinearityModel", "DarkModel", "DarkMIRIModel", "GainModel"),
    *("ReadnoiseModel", "IPCModel", "RSCDModel", "ResetModel", "LastFrameModel", "PersistenceSatModel"),
    *("TrapDensityModel", "TrapParsModel", "FlatModel", "IRS2Model", "IFUImageModel", "SlitModel"),
]

META = {
    "meta.target.ra": 53.16,
    "meta.target.catalog_name": "a name with 'quotes'",
    "meta.instrument.name": "NIRCAM",
    "meta.instrument.detector": "NRCALONG",
    "meta.exposure.type": "NRC_IMAGE",
    "meta.exposure.ngroups": 4,
    "meta.exposure.start_time": 60000.0123456789,
    "meta.exposure.zero_frame": False,
    "meta.subarray.name": "FULL",
    "meta.subarray.xstart": 1,
    "meta.observation.date": "2023-02-25",
    "meta.wcsinfo.crpix1": 1024.5,
    "meta.wcsinfo.s_region": "POLYGON ICRS " + " ".join(f"{v:.9f}" for v in np.linspace(1, 90, 8)),
    "meta.bunit_data": "DN",
    "meta.cal_step.dq_init": "COMPLETE",
    "meta.a_name_of_my_own": {"deep": [1, 2.5, "x"]},
}
REFERENCE_META = {
    "meta.description": "made by a test",
    "meta.reftype": "TEST",
    "meta.author": "webbcal",
    "meta.pedigree": "DUMMY",
    "meta.useafter": "2020-01-01T00:00:00",
    "meta.instrument.name": "NIRCAM",
    "meta.instrument.detector": "NRCALONG",
    "meta.exposure.type": "NRC_IMAGE",
}
SHAPE = {2: (6, 5), 3: (3, 6, 5), 4: (2, 3, 6, 5)}


def run_peer(*arguments, **options):
    done = subprocess.run(
        [PEER, "-W", "ignore", *arguments], capture_output=True, text=True, timeout=600, **options
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def sample_table(schema, rng):
    dtype = dtype_of(schema["datatype"])
    table = np.zeros(3, dtype)
    for name in dtype.names:
        if dtype[name].base.kind == "S":
            table[name] = [f"{name[:3]}{row}"[: dtype[name].itemsize] for row in range(3)]
        else:
            table[name] = rng.integers(0, 100, table[name].shape)
    if "VALUE" in dtype.names:
        table["VALUE"] = 1, 2, 4
        table["NAME"] = "DO_NOT_USE", "DEAD", "HOT"
    return table


def sample_arrays(name):
    """Return an array for each that the class declares, of its own type and dimensions."""
    rng = np.random.default_rng(7)
    arrays = {}
    for attribute, schema in schema_of(name)["properties"].items():
        if not is_array(schema) or "fits_hdu" not in schema:
            continue
        if is_table(schema):
            if not any("ndim" in column for column in schema["datatype"]):
                arrays[attribute] = sample_table(schema, rng)
            continue
        shape = SHAPE[schema.get("ndim", schema.get("max_ndim", 2))]
        dtype = np.dtype(schema["datatype"])
        high = {"dq": 8}.get(attribute, np.iinfo(dtype).max if dtype.kind in "iu" else 1000)
        arrays[attribute] = rng.integers(0, high, shape).astype(dtype)
        if dtype.kind == "f":
            arrays[attribute] /= dtype.type(7)
    return arrays


def sample_meta(name):
    reference = "reference" in model_rows()[name].groups
    known = {".".join(path) for path, _ in walk(schema_of(name))}
    own = set() if reference else {"meta.a_name_of_my_own"}  # a reference file has no ASDF extension
    return {
        key: value for key, value in (REFERENCE_META if reference else META).items() if key in known | own
    }


def assert_same(ours, theirs):
    assert ours["class"] == theirs["class"]
    volatile = {"meta.date", "meta.filename"}
    assert {k: v for k, v in ours["meta"].items() if k not in volatile} == {
        k: v for k, v in theirs["meta"].items() if k not in volatile
    }
    assert ours["arrays"].keys() == theirs["arrays"].keys()
    for name, values in ours["arrays"].items():
        assert values == theirs["arrays"][name], name


@pytest.fixture(scope="module")
def peer_reads(tmp_path_factory):
    """Return, by class, the model we saved and what one run of the peer read from the file."""
    folder = tmp_path_factory.mktemp("ours")
    models, jobs = {}, []
    for name in CLASSES:
        model = models[name] = getattr(datamodels, name)(**sample_arrays(name))
        for key, value in sample_meta(name).items():
            model[key] = value
        path = model.save(folder / f"{name}.fits")
        jobs.append({"action": "describe", "path": path, "names": list(sample_arrays(name))})
    answers = json.loads(run_peer(SCRIPT, input=json.dumps(jobs)))
    return {name: (models[name], answer) for name, answer in zip(CLASSES, answers, strict=True)}


@pytest.fixture(scope="module")
def peer_writes(tmp_path_factory):
    """Return, by class, the path of a file that one run of the peer wrote and what it read back."""
    folder = tmp_path_factory.mktemp("theirs")
    jobs = []
    for name in CLASSES:
        files = {}
        for attribute, array in sample_arrays(name).items():
            files[attribute] = str(folder / f"{name}.{attribute}.npy")
            np.save(files[attribute], array)
        job = {"action": "write", "path": str(folder / f"{name}.fits"), "class": name, "arrays": files}
        jobs.append(job | {"meta": sample_meta(name), "names": list(files)})
    answers = json.loads(run_peer(SCRIPT, input=json.dumps(jobs)))
    return {name: (job["path"], answer) for name, job, answer in zip(CLASSES, jobs, answers, strict=True)}


@pytest.mark.parametrize("name", CLASSES)
def test_the_peer_reads_what_we_write(name, peer_reads):
    model, theirs = peer_reads[name]
    names = list(sample_arrays(name))
    assert set(theirs["arrays"]) == set(names)
    assert_same(describe(model, names), theirs)


@pytest.mark.parametrize("name", CLASSES)
def test_we_read_what_the_peer_writes(name, peer_writes):
    path, theirs = peer_writes[name]
    names = list(sample_arrays(name))
    assert set(theirs["arrays"]) == set(names)
    with datamodels.open(path) as model:
        assert_same(describe(model, names), theirs)


def test_lists_of_slits_pass_both_ways(tmp_path):
    model = datamodels.MultiSlitModel()
    for number in range(3):
        slit = model.slits.item(name=f"S{number}", data=np.full((4, 5), number, np.float32), source_id=number)
        slit.dq = np.full((4, 5), number)
        model.slits.append(slit)
    path = model.save(tmp_path / "slits.fits")
    script = (
        "import sys; from stdatamodels.jwst import datamodels\n"
        "m = datamodels.open(sys.argv[1])\n"
        "slits = [(s.name, s.source_id, float(s.data.mean()), int(s.dq.max())) for s in m.slits]\n"
        "print(type(m).__name__, slits)\n"
        "m.save(sys.argv[2])"
    )
    copy = tmp_path / "copy.fits"
    output = run_peer("-c", script, path, copy)
    assert output.strip() == "MultiSlitModel [('S0', 0, 0.0, 0), ('S1', 1, 1.0, 1), ('S2', 2, 2.0, 2)]"
    back = datamodels.open(copy)
    assert [(s.name, s.source_id, s.data.mean(), s.dq.max()) for s in back.slits] == [
        ("S0", 0, 0, 0),
        ("S1", 1, 1, 1),
        ("S2", 2, 2, 2),
    ]


def transform(kind, **members):
    return Tagged(f"tag:stsci.edu:asdf/transform/{kind}", members)


def test_a_wcs_that_slits_share_passes_both_ways(tmp_path):
    """The file holds what is shared once; so does what jwst writes, and what we write of that."""
    poly = transform("polynomial-1.2.0", coefficients=np.array([[1.0, 0.5], [0.25, 0.0]]))
    unit = Tagged("tag:stsci.edu:asdf/unit/unit-1.0.0", "pixel")
    axes = {"axes_names": ["x", "y"], "axes_order": [0, 1], "unit": [unit, unit]}
    frames = [Tagged("tag:stsci.edu:gwcs/frame2d-1.2.0", {"name": name} | axes) for name in ("in", "out")]
    both = transform("concatenate-1.3.0", forward=[poly, transform("shift-1.3.0", offset=100.0)])
    mapping = transform("remap_axes-1.3.0", mapping=[0, 1, 0])
    shared = transform("compose-1.3.0", forward=[mapping, both])
    model = datamodels.MultiSlitModel()
    for number in range(3):
        slit = datamodels.SlitModel(np.full((4, 5), number, np.float32), name=f"S{number}")
        shift = [transform("shift-1.3.0", offset=float(number)), transform("shift-1.3.0", offset=0.0)]
        whole = [transform("concatenate-1.3.0", forward=shift), shared]
        steps = [{"frame": frames[0], "transform": transform("compose-1.3.0", forward=whole)}]
        steps = [Tagged("tag:stsci.edu:gwcs/step-1.3.0", step) for step in [*steps, {"frame": frames[1]}]]
        slit.meta.wcs = Tagged("tag:stsci.edu:gwcs/wcs-1.4.0", {"name": "", "steps": steps})
        model.slits.append(slit)
    names = ("ours.fits", "theirs.fits", "again.fits", "looked_at.fits")
    ours, theirs, again, looked_at = (str(tmp_path / name) for name in names)
    model.save(ours)
    script = (
        "import sys, json; from stdatamodels.jwst import datamodels\n"
        "m = datamodels.open(sys.argv[1])\n"
        "print(json.dumps([[float(v) for v in s.meta.wcs(1.0, 2.0)] for s in m.slits]))\n"
        "if len(sys.argv) > 2: m.save(sys.argv[2])"
    )
    expected = [[1 + 0.5 * 2 + 0.25 * (1 + k), 101.0 + k] for k in range(3)]
    assert json.loads(run_peer("-c", script, ours, theirs)) == expected
    with datamodels.open(theirs) as back:
        assert [slit.data[0, 0] for slit in back.slits] == [0, 1, 2]
        back.save(again)
        assert [[float(v) for v in slit.meta.wcs(1.0, 2.0)] for slit in back.slits] == expected
        back.save(looked_at)
    assert json.loads(run_peer("-c", script, looked_at)) == expected
    for path in (ours, theirs, again, looked_at):
        assert Path(path).read_bytes().count(b"polynomial-1") == 1, path


def test_tables_of_a_time_series_pass_both_ways(tmp_path):
    dtype = datamodels.TSOSpecModel().get_dtype("spec_table")
    vectors = {"WAVELENGTH", "FLUX", "FLUX_ERROR", "DQ"}
    table = np.zeros(4, [(n, dtype[n].base, (6,) if n in vectors else ()) for n in dtype.names])
    table["FLUX"], table["INT_NUM"] = np.arange(24).reshape(4, 6), np.arange(4)
    table["DQ"] = 2**31 + np.arange(6)
    model = datamodels.TSOMultiSpecModel()
    for order in (1, 2):
        model.spec.append(model.spec.item(spec_table=table, spectral_order=order))
    ours, theirs = model.save(tmp_path / "ours.fits"), str(tmp_path / "theirs.fits")
    script = (
        "import sys, json; from stdatamodels.jwst import datamodels\n"
        "m = datamodels.open(sys.argv[1]); m.save(sys.argv[2])\n"
        "t = [s.spec_table for s in m.spec]\n"
        "print(json.dumps([[s.spectral_order for s in m.spec], t[1]['FLUX'].tolist(), t[0]['DQ'].tolist()]))"
    )
    expected = [[1, 2], table["FLUX"].tolist(), table["DQ"].tolist()]
    assert json.loads(run_peer("-c", script, ours, theirs)) == expected
    with datamodels.open(theirs) as back:
        assert type(back) is datamodels.TSOMultiSpecModel and [s.spectral_order for s in back.spec] == [1, 2]
        for spectrum in back.spec:
            assert spectrum.shape == (4,) and spectrum.spec_table.dtype.names == dtype.names
            for name in dtype.names:
                np.testing.assert_array_equal(spectrum.spec_table[name], table[name])


def test_a_slit_as_a_model_is_that_of_the_peer(tmp_path):
    model = datamodels.MultiSlitModel()
    model.meta.exposure.type, model.meta.target.ra = "NRS_MSASPEC", 53.5
    for number in range(2):
        slit = datamodels.SlitModel(np.full((2, 3), number, np.float32), name=f"S{number}", source_id=7)
        slit.meta.photometry.conversion_megajanskys = 2.5
        model.slits.append(slit)
    path = model.save(tmp_path / "a.fits")
    script = (
        "import sys, json; from stdatamodels.jwst import datamodels\n"
        "s = datamodels.open(sys.argv[1])[1]\n"
        "print(json.dumps([type(s).__name__, s.to_flat_dict(include_arrays=False), s.data.tolist()]))"
    )
    name, flat, data = json.loads(run_peer("-c", script, path))
    slit = datamodels.open(path)[1]
    mine = slit.to_flat_dict(include_arrays=False)
    assert (type(slit).__name__, slit.data.tolist()) == (name, data)
    for same in (flat, mine):
        del same["meta.date"]
    assert mine == flat


def test_history_passes_both_ways(tmp_path):
    model = datamodels.ImageModel((4, 4))
    model.add_history_entry("corrected by hand")
    path = model.save(tmp_path / "a.fits")
    script = (
        "import sys; from stdatamodels.jwst import datamodels\n"
        "m = datamodels.open(sys.argv[1]); m.add_history_entry('and again'); m.save(sys.argv[2])\n"
        "print([e['description'] for e in m.history])"
    )
    copy = tmp_path / "copy.fits"
    assert run_peer("-c", script, path, copy).strip() == "['corrected by hand', 'and again']"
    assert [entry["description"] for entry in datamodels.open(copy).history] == [
        "corrected by hand",
        "and again",
    ]
