"""Stage 2 of imaging against jwst 3.0.0, product by product: data quality bit for bit, numbers to 1e-6.

Rates of the four instruments are simulated with references that have every kind of bad pixel. One process of
the peer runs all jobs; both packages take the same words.
"""

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from detector1_runs import finish_peer, start_peer
from peer_process import needs_peer
from products import compare

from webbcal import datamodels, simulate
from webbcal.associations import DMSLevel2bBase, asn_from_list
from webbcal.run.registry import step_class

pytestmark = needs_peer

SKY = simulate.Sky(stars=1000.0, bright=14.0, background=2.0)
NIRCAM = simulate.ExposureConfig(
    detector="NRCB1", subarray="SUB64P", filter="F200W", readpatt="BRIGHT2", ngroups=8, nints=3, sky=SKY
)
NARROW = replace(NIRCAM, filter="F187N", exposure=2)
NIRISS = replace(NIRCAM, detector="NIS", subarray="SUB64", filter="F200W", readpatt="NISRAPID")
GUIDER = replace(NIRCAM, detector="GUIDER1", subarray="SUB128DIAG", filter="N/A", readpatt="FGSRAPID")
MIRI = replace(NIRCAM, detector="MIRIMAGE", subarray="SUB64", filter="F2100W", readpatt="FASTR1", ngroups=40)
LATER = replace(MIRI, filter="F1130W", exposure=2, start_mjd=60555.25)
WITHOUT_PUPIL = replace(NIRCAM, exposure=3)
BACKGROUNDS = [
    replace(NIRCAM, exposure=n, seed=n, sky=replace(SKY, seed=n), ra=54.0, nints=3) for n in (11, 12, 13)
]
INTS = simulate.RateOptions(integrations=True)
MEAN = simulate.RateOptions(rays=20.0)

#: Differences that docs/parity.md names and explains.
KNOWN = (
    r"PRIMARY: S_BKDSUB is 'SKIPPED' instead of '\(none\)'",  # jwst says nothing when there is no background
    r"PRIMARY: S_PHOTOM is 'SKIPPED' instead of 'COMPLETE'",  # no row in PHOTOM: jwst says it is done
    r"PRIMARY: R_FLAT is .*user_flat.*",  # a flat of the user's is recorded with its path
    r"\w+: \d+ of \d+ values too far off.*",  # `numbers_agree` judges
    r"SCI: (SIP\w+|S_REGION|PC\d_\d|CRVAL\d|CDELT\d|[AB]P?_.*) is .*",  # assign_wcs has tests of its own
)


def name_of(config, integrations):
    return f"{config.rootname}_{'rateints' if integrations else 'rate'}.fits"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Write all rates, flats for the user, and associations."""
    folder = tmp_path_factory.mktemp("stage2")
    firsts = [NIRCAM, NARROW, NIRISS, GUIDER, MIRI, LATER, WITHOUT_PUPIL, *BACKGROUNDS]
    made = simulate.rate_universe(folder, firsts, MEAN, subarray_only=True)
    for config in (NIRCAM, NIRISS, MIRI, *BACKGROUNDS):
        simulate.expose_rates(config, INTS).save(folder)
    with datamodels.open(folder / name_of(WITHOUT_PUPIL, False)) as model:
        model.meta.instrument.pupil = "MASKRND"
        model.save(folder / name_of(WITHOUT_PUPIL, False))
    spoil_flat(next(folder.glob("crds/references/jwst/nircam/*_flat_*.fits")), folder / "user_flat.fits")
    for integrations in (False, True):
        members = [(name_of(NIRCAM, integrations), "science")]
        members += [(name_of(b, integrations), "background") for b in BACKGROUNDS]
        asn = asn_from_list(members, DMSLevel2bBase, product_name="target", with_exptype=True)
        products = asn["products"]
        for background in products[1:]:
            products[0]["members"] += background["members"]
        asn["products"] = [p for p in products if p["members"][0]["exptype"] == "science"]
        asn["products"][0]["name"] = "target"
        asn.save(folder / f"{'ints' if integrations else 'mean'}_asn.json")
    return made


def spoil_flat(reference, user):
    """Make a flat with NaN, zeros and flags in odd combinations."""
    shutil.copy(reference, user)
    rng = np.random.default_rng(1)
    with datamodels.open(reference) as model:
        data, dq = model.data.copy(), model.dq.copy()
        for value in (np.nan, 0.0, -0.3):  # infinite ones differ on purpose (docs/parity.md)
            data[rng.random(data.shape) < 0.02] = value
        for flag in (1, 1 << 18, 1 << 25, 1 << 13, (1 << 18) | (1 << 10)):
            dq[rng.random(dq.shape) < 0.03] |= np.uint32(flag)
        err = model.err.copy()
        err[rng.random(data.shape) < 0.02] = np.nan
        spoiled = datamodels.FlatModel(data=data, dq=dq, err=err)
        spoiled.update(model)
    spoiled.save(user)


def jobs_in(folder):
    """Return the jobs: name -> (class, input, parameters)."""
    alone = {"steps": {"resample": {"skip": True}}}
    nircam, ints = folder / name_of(NIRCAM, False), folder / name_of(NIRCAM, True)
    jobs = {
        config.rootname.split("_", 2)[2] + ("_ints" if integrations else ""): (
            "Image2Pipeline",
            folder / name_of(config, integrations),
            alone,
        )
        for config, integrations in [
            *((c, False) for c in (NIRCAM, NARROW, NIRISS, GUIDER, MIRI, LATER, WITHOUT_PUPIL)),
            *((c, True) for c in (NIRCAM, NIRISS, MIRI)),
        ]
    }
    for kind in ("mean", "ints"):
        for n, clipping in enumerate(({}, {"sigma": 1.1, "maxiters": 1})):
            background = {"save_combined_background": True, "save_results": True, **clipping}
            steps = {"bkg_subtract": background, "resample": {"skip": True}}
            jobs[f"background_{kind}_{n}"] = ("Image2Pipeline", folder / f"{kind}_asn.json", {"steps": steps})
    listed = ",".join(str(folder / name_of(b, False)) for b in BACKGROUNDS)
    jobs["bkg_list"] = ("BackgroundStep", nircam, {"bkg_list": listed.split(",")})
    user = {"user_supplied_flat": str(folder / "user_flat.fits")}
    jobs["user_flat"] = ("FlatFieldStep", nircam, user)
    jobs["user_flat_ints"] = ("FlatFieldStep", ints, user)
    jobs["flat_inverse"] = ("FlatFieldStep", nircam, {"inverse": True, **user})
    jobs["photom_inverse"] = ("PhotomStep", nircam, {"inverse": True})
    jobs["photom_without_time"] = (
        "PhotomStep",
        folder / name_of(MIRI, False),
        {"apply_time_correction": False},
    )
    return jobs


@pytest.fixture(scope="module")
def results(world):
    """Run all jobs in both packages; return job -> (our folder, their folder)."""
    jobs = jobs_in(world.folder)
    peer_jobs, folders = [], {}
    for name, (cls, init, parameters) in jobs.items():
        folders[name] = (world.folder / "ours" / name, world.folder / "theirs" / name)
        for folder in folders[name]:
            folder.mkdir(parents=True)
        peer_jobs.append(
            {
                "class": cls,
                "input": str(init),
                "output_dir": str(folders[name][1]),
                "parameters": {"save_results": True, **parameters},
            }
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(world.folder)  # jwst looks for members of level-2 associations here
        process = start_peer(peer_jobs, world.environment)
        for key, value in world.environment.items():
            patch.setenv(key, value)
        for name, (cls, init, parameters) in jobs.items():
            step_class(cls).call(init, output_dir=str(folders[name][0]), save_results=True, **parameters)
    answers = finish_peer(process)
    failed = {name: a["error"] for name, a in zip(jobs, answers, strict=True) if "error" in a}
    assert not failed, failed
    return folders


NAMES = list(jobs_in(__import__("pathlib").Path()))


@pytest.mark.parametrize("job", NAMES)
def test_products_are_the_same(results, job):
    ours, theirs = results[job]
    names = sorted(p.name for p in ours.iterdir())
    assert names == sorted(p.name for p in theirs.iterdir()) and names
    for name in names:
        found = compare(ours / name, theirs / name)
        unknown = [p for p in found.problems if not any(re.fullmatch(k, p) for k in KNOWN)]
        if "combinedbackground" in name:  # jwst's has no metadata at all, ours those of the exposure
            unknown = [p for p in unknown if "differ" in p]
        assert not unknown, (name, unknown)
        numbers_agree(ours / name, theirs / name)


def numbers_agree(ours, theirs):
    """Check all images to 1e-6 of the value or 1e-6 of its error (where values cancel), NaN included."""
    with fits.open(ours) as a, fits.open(theirs) as b:
        for hdu in b:
            if isinstance(hdu, fits.ImageHDU) and hdu.data is not None and hdu.data.dtype.kind == "f":
                power = {"SCI": 1, "ERR": 1, "VAR_FLAT": 2}.get(hdu.name)
                error = 0.0 if power is None else np.nan_to_num(b["ERR"].data) ** power
                found = a[hdu.name].data
                same = np.isclose(found, hdu.data, rtol=1e-6, atol=1e-6 * error, equal_nan=True)
                assert same.all(), (hdu.name, np.argwhere(~same)[0], found[~same][0], hdu.data[~same][0])


def test_the_cases_cover_what_they_should(results):
    """The comparison means something: flags, NaN and backgrounds are there."""
    ours, _ = results["user_flat"]
    with fits.open(next(ours.iterdir())) as hdus:
        dq, data = hdus["DQ"].data, hdus["SCI"].data
        assert (dq & (1 << 18) != 0).mean() > 0.05 and np.isnan(data).mean() > 0.05
        assert np.isfinite(hdus["VAR_FLAT"].data).mean() > 0.5
    combined = next(p for p in results["background_mean_0"][0].iterdir() if "combined" in p.name)
    with fits.open(combined) as hdus:
        assert np.median(hdus["SCI"].data) > 0 and (hdus["ERR"].data > 0).mean() > 0.5
    a, b = (
        next(p for p in results[f"background_mean_{n}"][0].iterdir() if "combined" in p.name) for n in (0, 1)
    )
    assert (fits.getdata(a) != fits.getdata(b)).mean() > 0.1  # clipping did something
