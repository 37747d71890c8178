"""Writing pages: of a product, of all products in a folder, of what a run has saved."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from webbcal.core.errors import InputError, MissingInputError, OutputError
from webbcal.report.pages.family import Family, described, families_in, family_of, unreadable
from webbcal.report.pages.page import index_page, page

log = logging.getLogger(__name__)

FOLDER, INDEX = "report", "index.html"


def write_reports(paths: Iterable[Path], output_dir: Path | None = None) -> list[Path]:
    """Write the pages of products, and of the products in folders; return the files, an index first.

    The page of a product is written beside it (``ROOT_report.html``); those of a folder, with their index, go
    to its folder ``report``.

    Parameters
    ----------
    paths : iterable of Path
        Products and folders.
    output_dir : Path, optional
        Where all pages are written instead.

    Raises
    ------
    InputError
        If something is no product, or a folder has none.
    OutputError
        If a page cannot be written.
    """
    written: list[Path] = []
    for path in paths:
        if path.is_dir():
            written += _of_folder(path, output_dir or path / FOLDER)
        elif path.exists():
            written.append(_of_family(family_of(path), output_dir or path.parent))
        else:
            raise MissingInputError(f"{path}: there is no such file or folder; check the path")
    return list(dict.fromkeys(written))


def write_reports_of(products: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """Write the pages of what a run has saved, a page for each exposure or association, beside it."""
    saved = [Path(product).absolute() for product in products]
    written = []
    for folder in dict.fromkeys(path.parent for path in saved):
        here = [path for path in saved if path.parent == folder]
        written += [_of_family(family, folder) for family in described(families_in(folder, here))]
    return written


def _of_family(family: Family, folder: Path) -> Path:
    return _write(folder / f"{family.root}_report.html", page(family))


def _of_folder(folder: Path, output: Path) -> Iterator[Path]:
    found = families_in(folder)
    families, unread = described(found), unreadable(found)
    for reason in unread.values():
        log.warning("left out: %s", reason)
    if not families:
        raise InputError(f"{folder}: has no products (files such as …_rate.fits, …_cal.fits, …_i2d.fits)")
    names = [(family, f"{family.root}.html") for family in families]
    addressed = [(family, quote(name)) for family, name in names]
    yield _write(output / INDEX, index_page(addressed, folder.resolve().name, unread))
    for family, name in names:
        yield _write(output / name, page(family, INDEX))


def _write(path: Path, text: str) -> Path:
    """Write a page, whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, "utf-8")
        part.replace(path)
    except OSError as error:
        why = error.strerror
        raise OutputError(f"{path}: the page cannot be written ({why}); set --output_dir") from None
    finally:
        part.unlink(missing_ok=True)
    return path
