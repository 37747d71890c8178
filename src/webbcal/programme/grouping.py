"""Which exposures are calibrated and combined together: as association files say, else by the rules.

Association files say what is combined. Exposures that are in none of level 2 are calibrated by the rules of
operations, from their headers; they are combined by the rules only where no association file is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webbcal.associations import RULES, Association, Pool, generate, pool_of_exposures
from webbcal.core.errors import InputError
from webbcal.core.wording import a_or_an
from webbcal.programme.sources import Sources, root_and_suffix

#: Type of an association -> the pipeline that makes its products, None: webbcal has none yet.
PIPELINES: dict[str, str | None] = {
    "image2": "calwebb_image2",
    "tso-image2": "calwebb_image2",
    "spec2": "calwebb_spec2",
    "tso-spec2": "calwebb_spec2",
    "image3": "calwebb_image3",
    "spec3": "calwebb_spec3",
}


@dataclass(frozen=True)
class Together:
    """A product to be made of some exposures.

    Attributes
    ----------
    name : str
        Root of the names of its files.
    kind : str
        Type of its association, such as ``image3``.
    tree : mapping
        The association, with this product alone.
    folder : Path or None
        Where its members are looked for; None for one that rules have made.
    file : str
        Name of the file that its association is to have; "" for the usual one.
    """

    name: str
    kind: str
    tree: Mapping[str, Any]
    folder: Path | None = None
    file: str = ""

    @property
    def association_name(self) -> str:
        """Name of the file of its association."""
        return self.file or f"{self.name}_{self.kind}_asn.json"

    @property
    def level(self) -> int:
        """The level of its pipeline."""
        return 2 if self.kind.endswith("2") else 3

    @property
    def pipeline(self) -> str | None:
        """The pipeline that makes it; None if webbcal has none."""
        return PIPELINES.get(self.kind)

    @property
    def members(self) -> list[dict[str, Any]]:
        """The members as they are listed."""
        listed: list[dict[str, Any]] = self.tree["products"][0]["members"]
        return listed


@dataclass(frozen=True)
class Grouping:
    """What is made together, and what headers say of each exposure.

    Attributes
    ----------
    products : list of Together
    modes : dict
        Root -> EXP_TYPE.
    unreadable : dict
        Root -> why its header tells nothing.
    """

    products: list[Together]
    modes: dict[str, str]
    unreadable: dict[str, str]


def group(sources: Sources) -> Grouping:
    """Decide which exposures are calibrated and combined together."""
    paths = [exposure.path for exposure in sources.exposures.values()]
    pool, unreadable = _pool(paths)
    given = [together for association in sources.associations for together in split(association)]
    calibrated = {root for together in given if together.level == 2 for root in _roots(together)}
    by_rules = [together for made in generate(pool) for together in split(made)] if pool.rows else []
    products = [
        together
        for together in by_rules
        if (together.level == 2 and not calibrated & set(_roots(together)))
        or (together.level == 3 and not given)
    ]
    modes = {root_and_suffix(row["filename"])[0]: row["exp_type"].upper() for row in pool.rows}
    return Grouping(_once([*given, *products]), modes, unreadable)


def split(association: Association) -> Iterator[Together]:
    """Yield each product of an association on its own.

    Raises
    ------
    InputError
        If it does not say of which kind it is.
    """
    kind = _kind(association)
    for number, product in enumerate(association.products):
        if not product.science:
            raise InputError(f"{association.filename}: product {product.name} has no science member")
        name = product.name or root_and_suffix(Path(product.science[0].expname).name)[0]
        if Path(name).name != name:
            raise InputError(f"{association.filename}: product {name}: its name must be one without folder")
        tree = {**association.data, "products": [{**association["products"][number], "name": name}]}
        yield Together(name, kind, tree, None if association.path is None else association.folder)


def _kind(association: Association) -> str:
    """Return the type of an association: as it says, else as its rule does."""
    kind = str(association.asn_type or "").lower()
    if kind[-1:] in ("2", "3"):
        return kind
    rule = RULES.get(str(association.asn_rule))
    if rule is None:
        raise InputError(
            f"{association.filename}: its asn_type is {kind or 'missing'}; set it to one of "
            f"{', '.join(PIPELINES)}, so that it is known what to make of it"
        )
    return f"image{rule.level}"


def _pool(paths: Iterable[Path]) -> tuple[Pool, dict[str, str]]:
    """Return the pool of the exposures whose headers can be read, and why others cannot."""
    paths = list(paths)
    try:
        return pool_of_exposures(paths), {}
    except InputError:
        readable, unreadable = [], {}
    for path in paths:
        try:
            pool_of_exposures([path])
        except InputError as error:
            unreadable[root_and_suffix(path.name)[0]] = str(error)
        else:
            readable.append(path)
    return pool_of_exposures(readable), unreadable


def _roots(together: Together) -> list[str]:
    """Return the exposures of which a product is made (of level 2: the one that is calibrated)."""
    science = [m for m in together.members if m["exptype"].lower() == "science"]
    return [root_and_suffix(Path(m["expname"]).name)[0] for m in science]


def _once(products: Iterable[Together]) -> list[Together]:
    """Return products of which no two have one name: of those, the one with the most members."""
    kept: dict[tuple[str, str], Together] = {}
    for together in products:
        known = kept.get((together.name, together.kind))
        if known is None or len(known.members) < len(together.members):
            kept[together.name, together.kind] = together
    return list(kept.values())


def why_not(kind: str) -> str:
    """Return why no product of a kind can be made."""
    return f"webbcal has no pipeline yet for {a_or_an(kind)} association"
