"""Files that belong together: what was made of an exposure, or of an association, in a folder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from webbcal import datamodels
from webbcal.core.errors import InputError
from webbcal.core.suffixes import remove_suffix
from webbcal.report.account import Account, account_of_model

#: Suffixes in the order in which an exposure goes through them; others come before the last.
ORDER = (
    "uncal", "dark", "ramp", "rateints", "rate", "bsubints", "bsub", "calints", "cal", "crfints", "crf",
    "median", "i2d", "segm", "s2d", "s3d", "x1dints", "x1d", "c1d",
)  # fmt: skip
#: Products that say nothing that others do not say, or hold no exposure.
_ASIDE = ("segm", "median")
_ENDINGS = (".fits", ".asdf", ".fits.gz")
_ASSOCIATION = re.compile(r"(?P<root>.+)_(?:a\d{4,}|[oc]\d{3,}|t\d{3,})$")


@dataclass(frozen=True)
class Family:
    """What was made of one exposure or association.

    Attributes
    ----------
    root : str
        What their names begin with.
    products : dict
        Suffix -> file, in the order of the pipeline.
    accounts : dict
        Suffix -> how it was made; of those that can be opened.
    problems : dict
        Suffix -> why it cannot be opened.
    """

    root: str
    products: dict[str, Path]
    accounts: dict[str, Account] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def main(self) -> Account:
        """The account that tells most: of the longest history, of two such of what comes last."""
        told = list(self.accounts.values())
        return max(reversed(told), key=lambda account: len(account.steps))

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return next(iter(self.products.values())).parent

    def open(self, *suffixes: str) -> Any:
        """Return the first of these products that is there, opened (a context), or None."""
        for suffix in suffixes:
            if suffix in self.accounts:
                return datamodels.open(self.products[suffix])
        return None

    def has(self, *suffixes: str) -> str | None:
        """Return the first of these products that is there, or None."""
        return next((suffix for suffix in suffixes if suffix in self.accounts), None)


def split_name(path: Path) -> tuple[str, str]:
    """Return root and suffix of a product; the suffix is "" if it has none that is known."""
    name = path.name
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    root, separator = remove_suffix(name)
    if root == name:
        last = name.rpartition("_")
        return (last[0], last[2]) if last[2] == "segm" and last[0] else (name, "")
    return root, name[len(root) + len(separator) :]


def family_of(path: Path) -> Family:
    """Return a product with what was made of the same exposure in its folder.

    Raises
    ------
    InputError
        If it is missing, or no product.
    """
    with datamodels.open(path):
        pass
    (found,) = families_in(path.parent, [path])
    if not found.accounts:
        raise InputError(f"{path}: {next(iter(found.problems.values()))}")
    return found


def families_in(folder: Path, wanted: Iterable[Path] | None = None) -> list[Family]:
    """Return the products in a folder, by exposure or association; with `wanted`, those of these files."""
    files = None if wanted is None else set(wanted)
    groups: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name.endswith(_ENDINGS):
            root, suffix = split_name(path)
            if suffix or path in (files or ()):
                groups.setdefault(root, {})[suffix] = path
    merged = _with_members(groups)
    chosen = [root for root, own in merged.items() if files is None or files & set(own.values())]
    return [_opened(root, merged[root]) for root in chosen]


def _with_members(groups: dict[str, dict[str, Path]]) -> dict[str, dict[str, Path]]:
    """Put what an association made of a member (``…_a3001_crf``) to the member."""
    merged: dict[str, dict[str, Path]] = {}
    for root, own in groups.items():
        match = _ASSOCIATION.match(root)
        home = match["root"] if match and match["root"] in groups else root
        for suffix, path in own.items():
            merged.setdefault(home, {}).setdefault(suffix, path)
    return merged


def _opened(root: str, files: dict[str, Path]) -> Family:
    ordered = sorted(files, key=_place)
    family = Family(root, {suffix: files[suffix] for suffix in ordered})
    for suffix in ordered:
        try:
            with datamodels.open(files[suffix]) as model:
                if hasattr(model.meta, "instrument") and suffix not in _ASIDE:
                    family.accounts[suffix] = account_of_model(model, files[suffix])
        except InputError as error:
            family.problems[suffix] = str(error)
    return family


def _place(suffix: str) -> tuple[int, str]:
    return (ORDER.index(suffix) if suffix in ORDER else ORDER.index("bsubints"), suffix)


def described(families: Iterable[Family]) -> list[Family]:
    """Return those of which something can be told."""
    return [family for family in families if family.accounts]


def unreadable(families: Iterable[Family]) -> dict[Path, str]:
    """Return the files that cannot be read, with the reason."""
    return {
        family.products[suffix]: reason for family in families for suffix, reason in family.problems.items()
    }
