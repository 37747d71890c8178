"""Extraction beside the peer: the same slits, references and parameters, the same tables column by column."""

import pytest
import spectrum_cases as cases
from extraction_runs import Job, run_both
from peer_process import needs_peer
from spectra_tables import compare_tables

pytestmark = needs_peer

BKG = {"bkg_coeff": [[-0.5], [3.6], [24.2], [28.5]]}
#: Apertures, by name.
APERTURES = {
    "whole": {},
    "ends": {"ystart": 7, "ystop": 20.4, "xstart": 8.3, "xstop": 21.7},
    "width": {"extract_width": 8.4},
    "sky": {"extract_width": 8.4, **BKG},
    "line": {"src_coeff": [[7.2, 0.02], [19.3, 0.03]], **BKG, "bkg_order": 1},
    "two": {"src_coeff": [[7.2], [11.0], [13.1], [19.3]], "bkg_coeff": [[22.0], [29.0]], "bkg_order": 2},
    "by_wavelength": {
        "src_coeff": [[5.0, 0.5], [16.0, 0.6]], "bkg_coeff": [[20.0, 0.2], [26.0, 0.2]],
        "independent_var": "wavelength",
    },
    "median": {"extract_width": 6, **BKG, "bkg_fit": "median"},
    "smooth": {"extract_width": 6, **BKG, "bkg_order": 1, "smoothing_length": 7},
    "smooth_median": {"extract_width": 6, **BKG, "bkg_fit": "median", "smoothing_length": 5},
    "still": {"extract_width": 8, **BKG, "use_source_posn": False},
}  # fmt: skip
SLITS = {
    "vertical": {"centre": 14.8},
    "horizontal": {"exp_type": "NRS_FIXEDSLIT", "vertical": False, "seed": 1, "centre": 12.1},
    "extended": {"source_type": "EXTENDED", "seed": 2},
    "counts": {"cal_step.photom": "SKIPPED", "seed": 3},
    "bare": {"wavelength": False, "seed": 4},
    "image": {"cls": "ImageModel", "seed": 5},
    "series": {"exp_type": "MIR_LRS-SLITLESS", "nints": 4, "seed": 6, "visit.tsovisit": True},
    "tsgrism": {"exp_type": "NRC_TSGRISM", "nints": 3, "vertical": False, "seed": 7},
    "one": {"exp_type": "MIR_LRS-SLITLESS", "nints": 1, "seed": 8},
    "cube": {"exp_type": "MIR_LRS-SLITLESS", "nints": 3, "seed": 9, "cls": "CubeModel"},
    "empty_columns": {"bad": 0.7, "seed": 10},
    "nods": {
        "seed": 11, "cal_step.bkg_subtract": "COMPLETE", "dither.primary_type": "ALONG-SLIT-NOD",
        "dither.x_offset": 0.3, "dither.y_offset": 0.4,
    },
    "pair": {
        "exp_type": "NRS_FIXEDSLIT", "vertical": False, "seed": 12, "centre": 9.0,
        "cal_step.bkg_subtract": "COMPLETE", "dither.primary_type": "2-POINT-NOD",
    },
}  # fmt: skip
ARCSEC = {"unit": "arcsec"}


def table(slit="vertical", aperture="sky", apcorr="pixels", psf=None, **parameters):
    """Return a row of the table of runs."""
    return slit, aperture, apcorr, psf, parameters


RUNS = {f"{s}-{a}": table(s, a) for s in ("vertical", "horizontal") for a in APERTURES}
RUNS |= {f"{s}-sky": table(s) for s in SLITS if s not in ("vertical", "horizontal", "pair")}
RUNS |= {
    "none": table(aperture=None),
    "none-offset": table(aperture=None, position_offset=3.0),
    "no-apcorr": table(apply_apcorr=False),
    "offset": table(position_offset=2.3),
    "offset-line": table(aperture="line", position_offset=-1.6),
    "no-background": table(subtract_background=False),
    "background-without-regions": table(aperture="width", subtract_background=True),
    "mean": table(aperture="line", bkg_fit="mean"),
    "median-wish": table(bkg_fit="median"),
    "order": table(bkg_order=3),
    "smoothing": table(smoothing_length=4),
    "smoothing-off": table(aperture="smooth", smoothing_length=1),
    "posn": table(aperture="still", use_source_posn=True),
    "no-posn": table(use_source_posn=False),
    "extended-posn": table("extended", use_source_posn=True),
    "series-median": table("series", "median"),
    "series-smooth": table("series", "smooth"),
    "optimal": table("vertical", "width", psf=True, extraction_type="optimal", optimize_psf_location=False),
    "optimal-fit": table("vertical", "width", psf=True, extraction_type="optimal"),
    "optimal-sky": table("vertical", "line", psf=True, extraction_type="optimal"),
    "optimal-sky-regions": table(
        "vertical", "width", psf=True, extraction_type="optimal", subtract_background=True, bkg_order=1
    ),
    "optimal-horizontal": table("horizontal", "sky", psf=True, extraction_type="optimal"),
    "optimal-unplaced": table("vertical", "still", psf=True, extraction_type="optimal"),
    "optimal-series": table("series", "sky", psf=True, extraction_type="optimal"),
    "optimal-pair": table("pair", "width", psf=True, extraction_type="optimal"),
    "optimal-pair-alone": table(
        "pair", "width", psf=True, extraction_type="optimal", model_nod_pair=False, log_increment=1
    ),
    "optimal-none": table("vertical", "width", psf=True, extraction_type=None, apply_apcorr=False),
    "optimal-without-psf": table("vertical", "width", extraction_type="optimal"),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory, world):
    """Both packages' results of all runs."""
    folder = tmp_path_factory.mktemp("extraction")
    slits = {name: folder / f"{name}_cal.fits" for name in SLITS}
    for name, options in SLITS.items():
        cases.slit(**options).save(slits[name])
    apertures = {
        name: cases.extract1d(folder, {"id": "ANY", **entry}, name=f"{name}.json")
        for name, entry in APERTURES.items()
    }
    cases.apcorr().save(folder / "apcorr_pixels.fits")
    cases.apcorr(subarray="SLITLESSPRISM").save(folder / "apcorr_slitless.fits")
    cases.apcorr_by_phase().save(folder / "apcorr_phase.fits")
    for vertical in (True, False):
        cases.psf(vertical).save(folder / f"psf_{vertical}.fits")
    jobs = {}
    for name, (slit, aperture, apcorr, psf, parameters) in RUNS.items():
        options = SLITS[slit]
        kind = {"MIR_LRS-SLITLESS": "slitless", "NRC_TSGRISM": None, "NRS_FIXEDSLIT": "phase"}.get(
            options.get("exp_type"), apcorr
        )
        psf_file = folder / f"psf_{options.get('vertical', True)}.fits"
        jobs[name] = Job("extract_1d", slits[slit], {
            "override_extract1d": apertures[aperture] if aperture else "N/A",
            "override_apcorr": folder / f"apcorr_{kind}.fits" if kind else "N/A",
            "override_psf": psf_file if psf else "N/A", **parameters,
        })  # fmt: skip
    return run_both(jobs, folder, world.environment)


@pytest.mark.parametrize("name", RUNS)
def test_same_spectra(name, runs):
    pair = runs[name]
    assert pair.error is None
    assert pair.status[0] == pair.status[1] == ["COMPLETE"]
    assert pair.classes[0] == pair.classes[1]
    problems = compare_tables(pair.ours[0], pair.theirs[0])
    assert not problems, "\n".join(problems)
