"""The exposures of the imaging tutorials, and what stages 2 and 3 make of them by the tutorials' commands."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from webbcal import simulate
from webbcal.cli.main import main

#: The commands of seed 002, where strun is webbcal run.
COMMANDS = (
    "asn from-list -o l2_asn.json -r DMSLevel2bBase *_rate.fits",
    "run calwebb_image2 l2_asn.json",
    "asn from-list -o l3_asn.json --product-name l3_results *_cal.fits",
    "run calwebb_image3 l3_asn.json",
)
#: Offsets of the exposures and pointing errors, arcsec to the east and north.
DITHERS = [(0.0, 0.0), (2.1, 0.8), (-1.2, 2.5)]
ERRORS = [(0.0, 0.0), (0.05, -0.03), (0.0, 0.0)]


@dataclass(frozen=True)
class Field:
    """A folder with exposures, and with the products that commands have made there."""

    folder: Path
    roots: tuple[str, ...]
    truth: tuple[Path, ...]
    environment: dict[str, str]

    def __call__(self, name: str, number: int = 0) -> str:
        """Return the path of a product of an exposure (``cal``), or of a file."""
        return str(self.folder / (name if "." in name else f"{self.roots[number]}_{name}.fits"))


def exposures() -> list[simulate.ExposureConfig]:
    """Return three dithered exposures; the second points a little off what its header says."""
    first = simulate.ExposureConfig(
        detector="NRCBLONG", subarray="SUB320", filter="F444W", readpatt="MEDIUM8", ngroups=9, seed=11,
        sky=simulate.Sky(stars=400.0, galaxies=30.0, faint=23.0),
    )  # fmt: skip
    configs = simulate.dithered(first, DITHERS)
    return [replace(c, pointing_error=e) for c, e in zip(configs, ERRORS, strict=True)]


@pytest.fixture(scope="session")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Field:
    """Rates, and their `_cal`, `_crf`, `_i2d` and catalogue, by the command lines of seed 002."""
    folder = tmp_path_factory.mktemp("field")
    configs = exposures()
    made = simulate.rate_universe(folder, configs, simulate.RateOptions(rays=1.0), subarray_only=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in made.environment.items():
            patch.setenv(name, value)
        for command in COMMANDS:
            *words, last = command.split()
            assert main([*words, *sorted(map(str, Path().glob(last)))]) == 0, command
    return Field(folder, tuple(c.rootname for c in configs), made.truth, made.environment)


@pytest.fixture
def field(calibrated: Field, monkeypatch: pytest.MonkeyPatch) -> Iterator[Field]:
    """The exposures and products, with CRDS set for them; the working directory is an empty one."""
    for name, value in calibrated.environment.items():
        monkeypatch.setenv(name, value)
    yield calibrated
