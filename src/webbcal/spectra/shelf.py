"""Spectra of sources put aside on disk: memory holds those of one exposure, however many there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from webbcal.io.scratch import ScratchArray, ScratchFile
from webbcal.spectra.source_tables import Row, SourceRow


@dataclass(frozen=True)
class ShelvedRow:
    """The spectrum of a source whose vectors lie in a file.

    Attributes
    ----------
    block : (vectors, wavelengths) ScratchArray of float64
        Whole numbers of up to 53 bits are there as they are.
    types : dict
        By column, in the order of the block: its type.
    values : dict
        By column: of the source.
    """

    block: ScratchArray
    types: Mapping[str, np.dtype[Any]]
    values: Mapping[str, Any]

    @property
    def size(self) -> int:
        """The number of wavelengths."""
        return self.block.shape[1]

    def loaded(self) -> SourceRow:
        """Read it."""
        block = self.block.read()
        vectors = {
            name: row.astype(kind, copy=False)
            for (name, kind), row in zip(self.types.items(), block, strict=True)
        }
        return SourceRow(vectors, self.values)


class Shelf:
    """A file without a name for the vectors of spectra; it is gone when no row is held any more.

    Parameters
    ----------
    folder : Path
        Where it lies.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._file = ScratchFile(folder)

    def put(self, row: Row) -> Row:
        """Write a row; return it as it lies there.

        Raises
        ------
        OutputError
            If the disk is full.
        """
        found = row.loaded()
        if not found.size:
            return found
        block = self._file.allocate((len(found.vectors), found.size), np.float64)
        block.write(np.array(list(found.vectors.values()), np.float64))
        return ShelvedRow(block, {name: v.dtype for name, v in found.vectors.items()}, found.values)
