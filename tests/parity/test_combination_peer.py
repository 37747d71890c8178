"""Spectra of several exposures beside the peer: combined, as tables of sources, and as master backgrounds."""

import numpy as np
import pytest
import spectrum_cases as cases
from astropy.io import fits
from extraction_runs import Job, run_both
from peer_process import needs_peer
from spectra_tables import compare_tables

from webbcal import datamodels
from webbcal.spectra.extract_1d import Extract1dStep

pytestmark = needs_peer

#: What is combined: names of files and parameters.
COMBINED = {
    "one": (["a"], {}),
    "three": (["a", "b", "c"], {}),
    "five": (["a", "b", "c", "a", "b"], {}),
    "eight": (["a", "b", "c", "a", "b", "a", "b", "c"], {"sigma_clip": 4.0}),
    "unit": (["a", "b"], {"exptime_key": "unit_weight"}),
    "integration": (["a", "b", "c"], {"exptime_key": "EFFINTTM"}),
    "unknown": (["a", "b"], {"exptime_key": "nonsense"}),
    "clipped": (["a", "b", "c"], {"sigma_clip": 2.0}),
    "series": (["series"], {}),
    "orders": (["slits"], {}),
}
#: Master backgrounds: science, backgrounds, parameters.
SKIES = {
    "dedicated": (["sci1", "sci2"], ["bkg1", "bkg2"], {"save_background": True}),
    "nods": (["sci1", "sci2"], ["nod1", "nod2"], {}),
    "median": (["sci1"], ["bkg1", "bkg2"], {"median_kernel": 6}),
    "user": (["sci1"], ["bkg1"], {"user_background": "bkg1", "save_background": True}),
    "short": (["sci1"], ["short"], {}),
    "done": (["done"], ["bkg1"], {}),
    "some": (["sci1", "done"], ["bkg1"], {}),
    "forced": (["done"], ["bkg1"], {"force_subtract": True}),
    "slits": (["slits_cal"], ["bkg1"], {}),
    "none": (["sci1"], [], {}),
}


def extracted(folder, name, slit):
    """Save a slit and its spectrum; return the path of the spectrum."""
    reference = cases.extract1d(
        folder, {"id": "ANY", "extract_width": 8, "bkg_coeff": [[-0.5], [3.5], [24.2], [28.5]]}
    )
    step = Extract1dStep(override_extract1d=reference, override_apcorr="N/A")
    path = folder / f"{name}_x1d.fits"
    step.run(slit).save(path)
    return path


def slits_of(*models):
    """Return slits of one exposure, of orders 1, 2, …"""
    made = datamodels.MultiSlitModel()
    made.update(models[0])
    for k, model in enumerate(models):
        item = made.slits.item(**{
            name: getattr(model, name)
            for name in ("data", "err", "dq", "var_poisson", "var_rnoise", "var_flat", "wavelength")
        })  # fmt: skip
        item.name, item.source_id, item.source_type = f"S{k}", 4, "POINT"
        item.meta.wcsinfo.spectral_order, item.meta.wcsinfo.dispersion_direction = 1 + k % 2, 2
        item.meta.photometry.pixelarea_steradians = 2.8e-13
        item.meta.wcs, item.meta.instrument = (
            model.meta.instance["wcs"],
            {"name": "MIRI", "filter": "P750L", "grating": None},
        )
        made.slits.append(item)
    return made


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Exposures and spectra in files, by name."""
    folder = tmp_path_factory.mktemp("spectra")
    found = {}
    for k, name in enumerate("abc"):
        slit = cases.slit(seed=20 + k, source_type="EXTENDED", shape=(30, 90 - 4 * k))
        slit.wavelength += np.float32(0.013 * k)
        found[name] = extracted(folder, name, slit)
    found["series"] = extracted(folder, "series", cases.slit("MIR_LRS-SLITLESS", nints=3, seed=9))
    several = [cases.slit(seed=40 + k, source_type="EXTENDED") for k in range(3)]
    found["slits"] = extracted(folder, "slits", slits_of(*several))
    for k in (1, 2):
        found[f"sci{k}"] = folder / f"jw_sci{k}_cal.fits"
        cases.slit(seed=50 + k, filename=f"jw_sci{k}_cal.fits").save(found[f"sci{k}"])
        for name, target in (("bkg", True), ("nod", False)):
            slit = cases.slit(seed=60 + k, source_type="EXTENDED", **{"observation.bkgdtarg": target})
            found[f"{name}{k}"] = extracted(folder, f"{name}{k}", slit)
    found["short"] = extracted(folder, "short", cases.slit(seed=70, shape=(30, 60), source_type="EXTENDED"))
    found["done"] = folder / "jw_done_cal.fits"
    cases.slit(seed=53, filename="jw_done_cal.fits", **{"cal_step.bkg_subtract": "COMPLETE"}).save(
        found["done"]
    )
    found["slits_cal"] = folder / "jw_slits_cal.fits"
    slits = slits_of(*several)
    slits.meta.filename = "jw_slits_cal.fits"
    slits.save(found["slits_cal"])
    for exposure in (0, 1, 2):
        found[f"field{exposure}"] = folder / f"jw_field{exposure}_cal.fits"
        model = cases.field(
            exposure, filename=f"jw_field{exposure}_cal.fits", **{"exposure.exposure_time": 100.0}
        )
        model.save(found[f"field{exposure}"])
    cases.apcorr("NrcWfssApcorrModel", filter="F322W2", pupil="GRISMR").save(folder / "apcorr.fits")
    found["apcorr"] = folder / "apcorr.fits"
    return found


def association(files, science, backgrounds):
    """Return an association of level 3."""
    members = [{"expname": str(files[n]), "exptype": "science"} for n in science]
    members += [{"expname": str(files[n]), "exptype": "background"} for n in backgrounds]
    return {
        "asn_type": "spec3",
        "asn_id": "a3001",
        "asn_pool": "p",
        "products": [{"name": "sky", "members": members}],
    }


@pytest.fixture(scope="module")
def runs(files, tmp_path_factory, world):
    """Both packages' results."""
    folder = tmp_path_factory.mktemp("combined")
    jobs = {}
    for name, (given, parameters) in COMBINED.items():
        paths = [files[n] for n in given]
        jobs[f"combined-{name}"] = Job("combine_1d", paths[0] if len(paths) == 1 else paths, parameters)
    for name, (science, backgrounds, parameters) in SKIES.items():
        if "user_background" in parameters:
            parameters = parameters | {"user_background": str(files[parameters["user_background"]])}
        path = folder / f"{name}_asn.json"
        path.write_text(datamodels_json(association(files, science, backgrounds)))
        jobs[f"sky-{name}"] = Job("master_background", path, parameters)
    references = {"override_apcorr": files["apcorr"], "override_psf": "N/A"}
    jobs["field-one"] = Job("extract_1d", files["field0"], references)
    jobs["field-unit"] = Job("extract_1d", files["field1"], references | {"apply_apcorr": False})
    jobs["field-all"] = Job("field", [files[f"field{k}"] for k in range(3)], references)
    jobs["slits"] = Job("extract_1d", files["slits_cal"], {
        "override_extract1d": cases.extract1d(folder, {"id": "ANY", "src_coeff": [[6.0], [20.0]]}),
        "override_apcorr": "N/A", "override_psf": "N/A", "use_source_posn": False,
    })  # fmt: skip
    return run_both(jobs, folder, world.environment)


def datamodels_json(association):
    """Return an association as text."""
    import json

    return json.dumps(association)


NAMES = [f"combined-{n}" for n in COMBINED] + ["field-one", "field-unit", "field-all", "slits"]


@pytest.mark.parametrize("name", NAMES)
def test_same_tables(name, runs):
    pair = runs[name]
    assert pair.error is None
    assert pair.status[0] == pair.status[1]
    assert pair.classes[0] == pair.classes[1]
    assert len(pair.ours) == len(pair.theirs)
    for ours, theirs in zip(pair.ours, pair.theirs, strict=True):
        problems = compare_tables(ours, theirs)
        assert not problems, "\n".join(problems)


@pytest.mark.parametrize("name", SKIES)
def test_same_sky(name, runs):
    pair = runs[f"sky-{name}"]
    assert pair.error is None
    # Where nothing is done, the peer hands on the spectra of the sky, too.
    assert pair.status[0] == pair.status[1][: len(pair.ours)]
    for ours, theirs in zip(pair.ours, pair.theirs, strict=False):
        with fits.open(ours) as a, fits.open(theirs) as b:
            for hdu in b:
                if hdu.name == "SCI":
                    np.testing.assert_allclose(a["SCI", hdu.ver].data, hdu.data, rtol=1e-6, atol=1e-5)
                if hdu.name == "DQ":
                    np.testing.assert_array_equal(a["DQ", hdu.ver].data, hdu.data)
            assert a[0].header.get("MSTRBKGD") == b[0].header.get("MSTRBKGD")
