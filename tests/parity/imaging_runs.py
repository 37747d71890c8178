"""Stages 2 and 3 by both packages, each on its own exposures and on the other's, from the same words."""

from dataclasses import dataclass
from pathlib import Path

import asdf
from astropy.table import Table
from detector1_runs import finish_peer, start_peer
from imaging_scenes import SCENES, Fields

from webbcal.associations import asn_from_list
from webbcal.combine.mosaic.resample import ResampleStep
from webbcal.run.registry import step_class


def grid(margin: int = 0) -> dict:
    """Return the parameters of a grid whose borders lie on data; with some pixels more on each side."""
    shape, crpix = [330 + 2 * margin, 340 + 2 * margin], [160.0 + margin, 170.0 + margin]
    return {"output_shape": shape, "crpix": crpix, "crval": [53.16, -27.79]}


#: What each run of Image3Pipeline on the NIRCam field varies: steps -> parameters. Values in capitals are
#: files that `write_inputs` makes.
VARIATIONS = {
    "dao_global": {
        "tweakreg": {"starfinder": "dao", "sharplo": 0.2, "roundlo": -1.0, "roundhi": 1.0, "brightest": 60},
        "skymatch": {"skymethod": "global", "skystat": "median"},
        "outlier_detection": {"snr": "4.0 3.0", "scale": "0.5 0.4", "maskpt": 0.2},
        "resample": {"pixfrac": 0.7, "pixel_scale_ratio": 0.6},
        "source_catalog": {"aperture_ee1": 40, "aperture_ee2": 60, "aperture_ee3": 80},
    },
    "segmentation_local": {
        "tweakreg": {"starfinder": "segmentation", "snr_threshold": 8.0, "fitgeometry": "general"},
        "skymatch": {"skymethod": "local", "skystat": "midpt", "subtract": True},
        "outlier_detection": {"resample_data": False, "snr": "30.0 4.0", "backg": 0.02},
        "resample": {"kernel": "gaussian", "pixel_scale": 0.08, "fillval": "0"},
        "source_catalog": {"starfinder": "dao", "sharplo": 0.2, "roundlo": -1.0, "roundhi": 1.0},
    },
    "exptime_both": {
        "tweakreg": {"fitgeometry": "shift", "use2dhist": False, "expand_refcat": True},
        "skymatch": {"skymethod": "global+match", "skystat": "mean", "match_down": False, "stepsize": 40},
        "outlier_detection": {"weight_type": "exptime", "in_memory": False, "pixfrac": 0.8},
        "resample": {"weight_type": "exptime", "rotation": 10.0, "propagate_dq": True},
        "source_catalog": {"snr_threshold": 5.0, "npixels": 12, "deblend": False},
    },
    "placed": {
        "in_memory": False,
        "tweakreg": {"brightest": 120, "kernel_fwhm": 3.1, "sigma": 2.5, "fitgeometry": "rscale"},
        "skymatch": {"dqbits": "0", "nclip": 2, "lsigma": 2.0, "usigma": 1.5, "binwidth": 0.3},
        "outlier_detection": {"kernel": "turbo", "good_bits": "~DO_NOT_USE+JUMP_DET"},
        "resample": grid(),
        "source_catalog": {"localbkg_width": 12, "multithresh_mode": "linear", "snr_threshold": 4.0},
    },
    "file_turbo": {
        "tweakreg": {"enforce_user_order": True, "minobj": 10, "nclip": 0, "searchrad": 1.0},
        "skymatch": {"subtract": True, "lower": 0.2, "upper": 3.0},
        "resample": {"output_wcs": "GRID.asdf", "kernel": "turbo", "pixfrac": 0.9},
        "source_catalog": {"starfinder": "iraf", "snr_threshold": 6.0},
    },
    "user_sky": {
        "tweakreg": {"skip": True},
        "skymatch": {"skymethod": "user", "skylist": "LEVELS.txt", "subtract": True},
        "resample": {"blendheaders": False},
        "source_catalog": {"kernel_fwhm": 3.0, "contrast": 0.1, "nlevels": 16},
    },
    "mosaic_only": {
        "tweakreg": {"skip": True},
        "skymatch": {"skip": True},
        "outlier_detection": {"skip": True},
        "resample": {"kernel": "lanczos3", "enable_err": False, "enable_ctx": False},
        "source_catalog": {"skip": True},
    },
    "not_aligned": {"tweakreg": {"minobj": 500}},
    "absolute": {"tweakreg": {"abs_refcat": "SKY.ecsv", "abs_fitgeometry": "shift", "abs_minobj": 10}},
}


#: Steps that both packages run on exposures and a mosaic that we have made.
STEPS = ("TweakRegStep", "SkyMatchStep", "OutlierDetectionStep", "ResampleStep", "SourceCatalogStep")

#: Pixels by which a mosaic with margins is larger on each side than one without: runs "cut" and "wider".
MARGIN = 2


@dataclass(frozen=True)
class Runs:
    """What both packages made: folders by run, ``ours`` and ``theirs`` in each."""

    fields: Fields
    folder: Path

    def pair(self, run: str) -> tuple[Path, Path]:
        """Return the folders of a run: ours and theirs."""
        return self.folder / run / "ours", self.folder / run / "theirs"


class Peer:
    """Jobs for both packages. The peer does all of them in one process, while we do ours."""

    def __init__(self, fields: Fields, folder: Path) -> None:
        self.fields, self.folder = fields, folder
        self.jobs: dict[str, list[dict]] = {"ours": [], "theirs": []}
        self.names: list[str] = []

    def add(self, run: str, cls: str, init: Path, now: bool = False, **parameters) -> None:
        """Plan a run of a step or pipeline; `now`: do ours at once, for later runs take what it makes."""
        for who, jobs in self.jobs.items():
            out = self.folder / run / who
            out.mkdir(parents=True, exist_ok=True)
            words = {"save_results": True, **parameters}
            jobs.append({"class": cls, "input": str(init), "output_dir": str(out), "parameters": words})
        self.names.append(run)
        if now:
            _do(self.jobs["ours"].pop())

    def run(self) -> Runs:
        """Run everything; our environment must be that of the fields, for references and bare names."""
        process = start_peer(self.jobs["theirs"], self.fields.environment)
        for job in self.jobs["ours"]:
            _do(job)
        answers = finish_peer(process)
        failed = {n: a["error"] for n, a in zip(self.names, answers, strict=True) if "error" in a}
        assert not failed, failed
        return Runs(self.fields, self.folder)


def _do(job: dict) -> None:
    step_class(job["class"]).call(job["input"], output_dir=job["output_dir"], **job["parameters"])


def stage2(fields: Fields) -> Runs:
    """Calibrate all rates, an exposure with backgrounds, and a time series."""
    peer = Peer(fields, fields.folder / "stage2")
    for name in (*SCENES, "ints"):
        for rate in fields.rates[name]:
            peer.add(name, "Image2Pipeline", rate)
    bkg = {"save_results": True, "save_combined_background": True}
    peer.add(
        "background", "Image2Pipeline", fields.folder / "background_asn.json", steps={"bkg_subtract": bkg}
    )
    return peer.run()


def stage3(calibrated: Runs) -> Runs:
    """Combine the exposures of each field as each package calibrated them; vary parameters; run steps."""
    fields = calibrated.fields
    peer = Peer(fields, fields.folder / "stage3")
    for name in SCENES:
        for of, folder in zip(("ours", "theirs"), calibrated.pair(name), strict=True):
            asn = associate(folder, name, "cal")
            peer.add(f"{name}_of_{of}", "Image3Pipeline", asn, now=(name, of) == ("nircam", "ours"))
    folder = calibrated.pair("nircam")[1]
    files = write_inputs(fields, folder)
    for run, words in VARIATIONS.items():
        steps = {name: _with_files(p, files) for name, p in words.items() if name != "in_memory"}
        more = {name: value for name, value in words.items() if name == "in_memory"}
        peer.add(run, "Image3Pipeline", folder / "nircam_asn.json", steps=steps, **more)
    peer.add("alone", "Image3Pipeline", sorted(folder.glob("*_cal.fits"))[0])
    made = peer.folder / "nircam_of_ours" / "ours"
    for step in STEPS:
        init = associate(made, "nircam", "crf")
        if step == "SourceCatalogStep":
            init = next(made.glob("*_i2d.fits"))
        peer.add(step, step, init, output_file="again")
    exposures = associate(made, "nircam", "crf")
    for run, margin in (("cut", 0), ("wider", MARGIN)):
        peer.add(run, "ResampleStep", exposures, output_file=run, **grid(margin))
    return peer.run()


def associate(folder: Path, name: str, suffix: str) -> Path:
    """Write the association of the images of a folder that have a suffix."""
    members = sorted(p.name for p in folder.glob(f"*_{suffix}.fits"))
    assert len(members) == SCENES[name].number
    asn_from_list(members, product_name=f"mosaic_{name}").save(folder / f"{name}_asn.json")
    return folder / f"{name}_asn.json"


def write_inputs(fields: Fields, folder: Path) -> dict[str, str]:
    """Write what the user gives besides exposures: a catalogue, sky levels, and a grid."""
    files = {n: str(fields.folder / n) for n in ("SKY.ecsv", "LEVELS.txt", "GRID.asdf")}
    config = SCENES["nircam"].config
    sources = config.sky.sources_near(*config.pointing.footprint())
    bright = sources[~sources["galaxy"]]
    Table({"RA": bright["ra"], "DEC": bright["dec"]}).write(files["SKY.ecsv"], overwrite=True)
    images = sorted(folder.glob("*_cal.fits"))
    lines = [f"{path.name} {0.9 + 0.1 * n}" for n, path in enumerate(images)]
    Path(files["LEVELS.txt"]).write_text("\n".join(lines) + "\n")
    grid = ResampleStep.call(str(images[1]), rotation=-20.0, pixel_scale=0.07)
    asdf.AsdfFile({"wcs": grid.meta.wcs}).write_to(files["GRID.asdf"])
    return files


def _with_files(parameters, files):
    return {k: files.get(v, v) if isinstance(v, str) else v for k, v in parameters.items()}
