"""pixel_replace on slits and with a model of the trace, and path losses of SOSS, against jwst 3.0.0."""

import re

import numpy as np
import pytest
import slit_cases as cases
from detector1_runs import finish_peer, start_peer
from peer_process import needs_peer
from products import compare

from webbcal import datamodels
from webbcal.run.registry import step_class
from webbcal.simulate.headers import assign

pytestmark = needs_peer


def traced(shape, axis, dimensions=2):
    """Return a spectrum with a trace, and a model of it that does not know every pixel."""
    full = shape if dimensions == 2 else (2, *shape)
    mode = "MIR_LRS-FIXEDSLIT" if dimensions == 2 else "MIR_LRS-SLITLESS"
    model = cases.slit_model(mode, full, 5.0, 12.0, axis, seed=axis)
    across = np.arange(shape[0])[:, None] if axis == 1 else np.arange(shape[1])
    trace = 300 * np.exp(-0.5 * ((across - shape[axis - 1 if axis == 1 else 1] / 2) / 2) ** 2)
    trace = np.broadcast_to(trace, shape).astype(np.float32).copy()
    model.data = (np.asarray(model.data) + trace).astype(np.float32)
    trace[:, 5], trace[3] = np.nan, np.nan
    model.trace_model = trace
    model.meta.cal_step.adaptive_trace_model = "COMPLETE"
    return model


def slits():
    """Return slits with traces along rows; one has no good pixel."""
    model = cases.multi_slit("NRC_WFSS", 1, 3.0, 4.0, orders=(1, 1, 2))
    for slit in model.slits:
        y = np.arange(slit.data.shape[0])[:, None]
        slit.data = slit.data + (200 * np.exp(-0.5 * ((y - 10) / 1.5) ** 2)).astype(np.float32)
    model.slits[2].data[:], model.slits[2].dq[:] = np.nan, 1
    return model


def soss():
    """Return an image of SOSS that is no time series."""
    model = datamodels.ImageModel()
    for name, values in cases.arrays((256, 2048), 5).items():
        setattr(model, name, values)
    more = {"instrument.pupil_position": 245.9, "visit.tsovisit": False}
    assign(model, cases.metadata("NIS_SOSS", **more))
    return model


def losses():
    """Return what falls off the subarray, by pupil wheel and column."""
    model = datamodels.PathlossModel()
    model.apertures.append(model.apertures.item(name="SUBSTRIP256", shutters=0))
    aperture = model.apertures[0]
    rows, columns = np.mgrid[0:1500, 0:21]
    aperture.pointsource_data = (1 - 1e-4 * rows * (1 + 0.05 * columns))[None].astype(np.float32)
    aperture.uniform_data = np.ones(10, np.float32)
    for name, value in {"crpix1": 11.0, "crval1": 245.8, "cdelt1": 0.05, "crpix2": 1.0, "crval2": 300.0,
                        "cdelt2": 1.0, "crpix3": 1.0, "crval3": 1.0, "cdelt3": 1.0}.items():  # fmt: skip
        setattr(aperture.pointsource_wcs, name, value)
    told = {"reftype": "pathloss", "description": "test", "author": "test", "pedigree": "DUMMY"}
    told |= {"useafter": "2020-01-01T00:00:00", "instrument.name": "NIRISS", "exposure.type": "NIS_SOSS"}
    assign(model, told)
    return model


def replace(algorithm, **more):
    return {"class": "PixelReplaceStep", "parameters": {"skip": False, "algorithm": algorithm, **more}}


#: Name -> input, what to do with it.
CASES = {
    "slits_mingrad": (slits(), replace("mingrad")),
    "slits_fit": (slits(), replace("fit_profile", n_adjacent_cols=2)),
    "columns_fit": (cases.multi_slit("NIS_WFSS", 2, 1.2, 1.8), replace("fit_profile")),
    "trace_rows": (traced((40, 90), 1), replace("trace_model")),
    "trace_columns": (traced((90, 40), 2), replace("trace_model")),
    "trace_series": (traced((90, 40), 2, dimensions=3), replace("trace_model")),
    "soss": (soss(), {"class": "PathLossStep", "parameters": {}}),
}

KNOWN = (r"PRIMARY: S_(ADTRMD|PXREPL) .*",)


@pytest.fixture(scope="module")
def products(tmp_path_factory, world):
    folder = tmp_path_factory.mktemp("repair")
    losses().save(folder / "pathloss.fits")
    jobs = []
    for name, (model, job) in CASES.items():
        (folder / name / "theirs").mkdir(parents=True)
        model.save(folder / name / f"{name}_cal.fits")
        words = {"save_results": True, **job["parameters"]}
        if job["class"] == "PathLossStep":
            words["override_pathloss"] = str(folder / "pathloss.fits")
        jobs.append({"class": job["class"], "input": str(folder / name / f"{name}_cal.fits"),
                     "output_dir": str(folder / name / "theirs"), "parameters": words})  # fmt: skip
    peer = start_peer(jobs, world.environment)
    with pytest.MonkeyPatch.context() as patch:
        for key, value in world.environment.items():
            patch.setenv(key, value)
        for job in jobs:
            output = job["output_dir"].replace("theirs", "ours")
            step_class(job["class"]).call(job["input"], output_dir=output, **job["parameters"])
    return folder, dict(zip(CASES, finish_peer(peer), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_same_as_the_peer(products, name):
    folder, answers = products
    assert "error" not in answers[name], answers[name]
    (ours,), (theirs,) = ((folder / name / side).glob("*.fits") for side in ("ours", "theirs"))
    problems = compare(ours, theirs).problems
    assert not [p for p in problems if not any(re.fullmatch(known, p) for known in KNOWN)]


def test_something_was_replaced(products):
    folder, _ = products
    for name in CASES:
        if name != "soss":
            (path,) = (folder / name / "ours").glob("*.fits")
            model = datamodels.open(path)
            dq = model.slits[0].dq if hasattr(model, "slits") else model.dq
            assert np.count_nonzero(dq & np.uint32(datamodels.dqflags.pixel["FLUX_ESTIMATED"])) > 10
