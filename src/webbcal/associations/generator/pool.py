"""Pools: tables of exposures, with what is known of each before its data are looked at."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from webbcal.core.errors import InputError, MissingInputError, OutputError

#: Columns without which nothing can be told of an exposure.
_NEEDED = ("filename", "program", "exp_type")
#: What stands where nothing is known.
NULL = "null"


@dataclass(frozen=True)
class Pool:
    """Exposures.

    Attributes
    ----------
    rows : tuple of dict
        Columns by name; names and values are in lower case.
    name : str
        Of its file; goes into associations.
    """

    rows: tuple[Mapping[str, str], ...]
    name: str = "in-memory"

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def columns(self) -> list[str]:
        """Names of all columns, in order."""
        return list(dict.fromkeys(column for row in self.rows for column in row))

    def write(self, path: str | os.PathLike[str], delimiter: str = "|") -> None:
        """Write it as text.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        columns = self.columns
        try:
            with Path(path).open("w", newline="", encoding="utf-8") as stream:
                table = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
                table.writerow(columns)
                table.writerows([row.get(column, NULL) for column in columns] for row in self.rows)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({error.strerror}); choose another name") from error


def pool_of(
    rows: Iterable[Mapping[str, object]], name: str = "in-memory", as_written: Sequence[str] = ()
) -> Pool:
    """Return the pool of some rows; values become text in lower case, but for columns `as_written`.

    Raises
    ------
    InputError
        If a column is missing that every exposure needs.
    """
    lowered = tuple(
        {key.strip().lower(): _text(value, key.strip().lower() in as_written) for key, value in row.items()}
        for row in rows
    )
    for number, row in enumerate(lowered, start=1):
        missing = [column for column in _NEEDED if column not in row]
        if missing:
            raise InputError(f"{name}: row {number} has no column {missing[0]!r}; every exposure needs one")
    return Pool(lowered, name)


def _text(value: object, as_written: bool) -> str:
    text = str(value).strip() or NULL
    return text if as_written else text.lower()


def read_pool(path: str | os.PathLike[str], delimiter: str = "|") -> Pool:
    """Read a pool file: a line of names, then a line for each exposure; lines with # in front are comments.

    Raises
    ------
    InputError
        If it cannot be read or is no pool; says which line is wrong.
    """
    where = Path(path)
    try:
        lines = where.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise MissingInputError(f"{where}: there is no such pool; check the name") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{where}: cannot be read as a pool: {error}") from error
    table = csv.reader(
        (line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")),
        delimiter=delimiter,
        skipinitialspace=True,
    )
    try:
        names, *rows = list(table)
    except (csv.Error, ValueError) as error:
        raise InputError(f"{where}: is no pool: it has no line of column names ({error})") from error
    if len(names) == 1:
        raise InputError(f"{where}: has one column, {names[0][:40]!r}; {_separated(delimiter)}")
    for row in rows:
        _check(row, names, where, delimiter)
    return pool_of((dict(zip(names, row, strict=True)) for row in rows), where.name)


def _separated(delimiter: str) -> str:
    return f"are columns separated with {delimiter!r} (-d)?"


def _check(row: Sequence[str], names: Sequence[str], where: Path, delimiter: str) -> None:
    if len(row) != len(names):
        raise InputError(
            f"{where}: the line of {row[0]!r} has {len(row)} columns, the first line {len(names)}; "
            f"{_separated(delimiter)}"
        )
