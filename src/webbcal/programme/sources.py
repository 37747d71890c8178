"""What there is: exposures and associations among some files and folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from webbcal.associations import Association, load_association
from webbcal.associations.sources import is_association_name
from webbcal.core.errors import InputError, MissingInputError
from webbcal.core.suffixes import remove_suffix
from webbcal.programme.folder import Folder

#: How far exposures are calibrated, by the endings of their names; of one exposure, the first is taken.
LEVELS = {"uncal": 1, "rate": 2, "rateints": 2, "cal": 3, "calints": 3}
_ORDER = list(LEVELS)
_EXTENSIONS = (".fits.gz", ".fits")


@dataclass(frozen=True, slots=True)
class Exposure:
    """An exposure that was given.

    Attributes
    ----------
    path : Path
    root : str
        Its name without suffix, which its products share.
    suffix : str
        One of `LEVELS`.
    """

    path: Path
    root: str
    suffix: str

    @property
    def level(self) -> int:
        """The level that takes it on: 1 for raw data."""
        return LEVELS[self.suffix]


@dataclass(frozen=True)
class Sources:
    """What was given.

    Attributes
    ----------
    exposures : dict
        Root -> exposure, each as raw as it is there.
    associations : list of Association
    """

    exposures: dict[str, Exposure]
    associations: list[Association]


def look(places: Iterable[str | os.PathLike[str]]) -> Sources:
    """Find the exposures and associations among files and folders.

    Members of associations that are not named, but lie beside the association, are found, too: as they are,
    or less calibrated.

    Raises
    ------
    InputError
        If a place is not there, holds nothing, or a file is neither an exposure nor an association.
    """
    paths = [path for place in places for path in _in_place(Path(os.path.abspath(place)))]  # noqa: PTH100
    associations = [load_association(path) for path in paths if is_association_name(path)]
    exposures: dict[str, Exposure] = {}
    for path in paths:
        if not is_association_name(path):
            _add(exposures, exposure_of(path))
    for association in associations:
        for found in _beside(association, exposures):
            _add(exposures, found)
    return Sources(exposures, associations)


def exposure_of(path: Path) -> Exposure:
    """Return what the name of a file says of an exposure.

    Raises
    ------
    InputError
        If it is not the name of an exposure.
    """
    root, suffix = root_and_suffix(path.name)
    if not path.name.endswith(_EXTENSIONS) or suffix not in LEVELS:
        endings = ", ".join(f"_{known}.fits" for known in LEVELS)
        raise InputError(
            f"{path}: its name does not tell how far it is calibrated; exposures end with {endings}, "
            "associations with .json"
        )
    return Exposure(path, root, suffix)


def root_and_suffix(name: str) -> tuple[str, str]:
    """Return the name of a file without its suffix, and the suffix ("" if it has no known one)."""
    stem = next((name.removesuffix(end) for end in _EXTENSIONS if name.endswith(end)), Path(name).stem)
    root, _ = remove_suffix(stem)
    return root, stem[len(root) + 1 :]


def _in_place(place: Path) -> list[Path]:
    if not place.is_dir():
        if not place.exists():
            raise MissingInputError(f"{place}: there is no such file or folder; check the name")
        return [place]
    # What programmes write into their folder is no input of them, where that is the folder of exposures, too.
    own = Folder(place).own_associations
    inside = sorted(path for path in place.iterdir() if _is_taken(path) and path.name not in own)
    if not inside:
        raise InputError(
            f"{place}: has neither exposures (names that end with "
            f"{', '.join(f'_{known}.fits' for known in LEVELS)}) nor associations (_asn.json)"
        )
    return inside


def _is_taken(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    if is_association_name(path):
        return path.stem.endswith("_asn")
    return path.name.endswith(_EXTENSIONS) and root_and_suffix(path.name)[1] in LEVELS


def _add(exposures: dict[str, Exposure], found: Exposure) -> None:
    """Know an exposure, once, in its rawest file.

    Raises
    ------
    InputError
        If that is in two folders.
    """
    known = exposures.setdefault(found.root, found)
    if known.suffix == found.suffix and known.path.resolve() != found.path.resolve():
        raise InputError(f"the same exposure is there twice: {known.path} and {found.path}; give one of them")
    if _ORDER.index(found.suffix) < _ORDER.index(known.suffix):
        exposures[found.root] = found


def _beside(association: Association, known: dict[str, Exposure]) -> Iterator[Exposure]:
    """Yield the members that nobody has given, as far as they are calibrated."""
    for product in association.products:
        for member in product.members:
            path = association.resolve(member)
            root, suffix = root_and_suffix(path.name)
            if root in known or suffix not in LEVELS:
                continue
            wanted = _ORDER[_ORDER.index(suffix) :: -1]
            places = (path.with_name(f"{root}_{ending}.fits") for ending in wanted)
            there = next((place for place in places if place.is_file()), None)
            if there is not None:
                yield exposure_of(there)
