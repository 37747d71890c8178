"""Spectra of MIRI's low-resolution spectrometer on disc: rates, associations, references and their truth."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from webbcal import simulate
from webbcal.simulate.lrs import Lrs
from webbcal.simulate.spectrum import Spectrum

SLIT = simulate.ExposureConfig(
    detector="MIRIMAGE", filter="P750L", readpatt="FASTR1", ngroups=30, cosmic_rays=False, lrs=Lrs()
)
SLITLESS = replace(SLIT, subarray="SLITLESSPRISM", ngroups=40, nints=12, lrs=simulate.planet())


@dataclass(frozen=True)
class SpectralCase:
    """What was written: rates, associations (stage 2: one for each target exposure), and what is true.

    `spec3` combines what `spec2` makes of the nods; `master`, what stage 2 makes of their rates alone, with
    the spectrum of the background as a member.
    """

    folder: Path
    rates: tuple[Path, ...]
    environment: dict[str, str]
    configs: tuple[simulate.ExposureConfig, ...]
    spec2: tuple[Path, ...] = ()
    spec3: Path | None = None
    background: Path | None = None
    master: Path | None = None

    @property
    def source(self) -> Spectrum:
        """The spectrum of the star, Jy."""
        return self.configs[0].lrs.source

    @property
    def sky(self) -> Spectrum:
        """The spectrum of the sky, MJy/sr."""
        return self.configs[0].lrs.sky


def nods(config=SLIT, background=True):
    """Return the configurations of a nod pair and, if wanted, of an exposure beside the target."""
    return [*simulate.nod_pair(config), *([simulate.beside(config)] if background else [])]


def lrs_slit(folder, config=SLIT, background=True):
    """Write a nod pair (and a dedicated background), with associations of stages 2 and 3."""
    folder = Path(folder)
    configs = nods(config, background)
    made = simulate.rate_universe(folder, configs)
    pair, rest = made.rate[:2], made.rate[2:]
    spec2 = tuple(
        association(folder, "spec2", root(one), [(one, "science"), (other, "background")])
        for one, other in (pair, pair[::-1])
    )
    spec3 = association(folder, "spec3", "star", [(cal(rate), "science") for rate in pair])
    case = SpectralCase(folder, pair, made.environment, tuple(configs), spec2, spec3)
    if not rest:
        return case
    members = [*((cal(rate), "science") for rate in pair), (f"{root(rest[0])}_x1d.fits", "background")]
    return replace(case, background=rest[0], master=association(folder, "spec3", "master", members))


def lrs_slitless(folder, config=SLITLESS):
    """Write the integrations of a transit, with an association of stage 2."""
    folder = Path(folder)
    made = simulate.rate_universe(folder, config, simulate.RateOptions(integrations=True))
    spec2 = association(folder, "spec2", root(made.rate[0]), [(made.rate[0], "science")])
    return SpectralCase(folder, made.rate, made.environment, (config,), (spec2,))


def association(folder, kind, name, members):
    """Write an association of one product from (path, exptype); returns its path."""
    entries = [{"expname": Path(path).name, "exptype": exptype} for path, exptype in members]
    tree = {
        "asn_type": kind,
        "asn_rule": "DMSLevel2bBase" if kind == "spec2" else "DMS_Level3_Base",
        "asn_pool": "none",
        "asn_id": "a3001",
        "program": "01234",
        "products": [{"name": name, "members": entries}],
    }
    path = Path(folder) / f"{name}_{kind}_asn.json"
    path.write_text(json.dumps(tree, indent=1))
    return path


def root(path):
    """Return the name of an exposure without its suffix."""
    return Path(path).name.rsplit("_", 1)[0]


def cal(rate):
    """Return where stage 2 puts the calibrated exposure."""
    return Path(rate).with_name(f"{root(rate)}_cal.fits")
