"""`AssociationPool` and `generate` as `jwst.associations` has them, on webbcal's generator."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from astropy.table import Table

from webbcal.associations import Association, pool_of, read_pool
from webbcal.associations import generate as generated
from webbcal.associations.generator.rule_tables import recipes


class AssociationPool(Table):
    """A table of exposures, all text; ``meta["pool_file"]`` is its file."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.meta.setdefault("pool_file", "in-memory")

    @classmethod
    def read(cls, filename: str | os.PathLike[str], delimiter: str = "|", **_: Any) -> Self:
        """Read a pool file; names of columns and values become lower case.

        Raises
        ------
        InputError
            If it cannot be read or is no pool.
        """
        pool = read_pool(filename, delimiter)
        rows = [[row[column] for column in pool.columns] for row in pool.rows]
        return cls(rows=rows, names=pool.columns, dtype=["str"] * len(pool.columns),
                   meta={"pool_file": filename})  # fmt: skip

    def write(self, *args: Any, delimiter: str = "|", **kwargs: Any) -> None:
        """Write it as a pool file; other formats are those of astropy's tables."""
        form = kwargs.pop("fmt", None) or kwargs.pop("format", None) or "ascii"
        if form.startswith("ascii"):
            kwargs["delimiter"] = delimiter
        super().write(*args, format=form, **kwargs)


def generate(
    pool: Table, rules: Iterable[str], version_id: str | bool | None = None, finalize: bool = True
) -> list[Association]:
    """Make associations of what belongs together in a pool, whatever its candidates.

    Parameters
    ----------
    pool : AssociationPool
        The exposures.
    rules : AssociationRegistry
        The rules, by name.
    version_id : str or bool, optional
        Goes into the names of association files; True: the time.
    finalize : bool
        Whether they are completed; they always are.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dt%H%M%S") if version_id is True else version_id or None
    rows = [dict(zip(pool.colnames, map(str, row), strict=True)) for row in pool]
    named = pool_of(rows, Path(pool.meta.get("pool_file", "in-memory")).name)
    chosen = {name: recipe for name, recipe in recipes().items() if name in rules}
    made = generated(named, chosen, all_candidates=False, version_id=stamp)
    for association in made:
        association["asn_rule"] = association["asn_rule"].removeprefix("discover_")
    return made
