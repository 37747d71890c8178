"""The asdf library, with objects for what no installed package has objects for (`core.provided`)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO

from webbcal.core.provided import provided

if TYPE_CHECKING:
    import asdf


@cache
def own_extensions() -> tuple[Any, ...]:
    """Return extensions of asdf that count in files that are read and written here, nowhere else."""
    return tuple(provided("transforms").extensions())


def new_file(tree: Mapping[str, Any] | None = None) -> asdf.AsdfFile:
    """Return an ASDF file that holds a tree, still in memory."""
    import asdf

    return asdf.AsdfFile(tree, extensions=list(own_extensions()))


def open_file(file: BinaryIO) -> asdf.AsdfFile:
    """Open an ASDF file for reading; tags that nobody knows are kept."""
    import asdf

    return asdf.open(file, extensions=list(own_extensions()), lazy_load=False, ignore_unrecognized_tag=True)
