"""Reference-file DQ bits to standard bits.

A reference file may number its DQ bits as it likes: its DQ_DEF table says which name each of its bits
has. Before such an array meets science data, its bits move to the standard places of
`webbcal.core.dqflags`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core import dqflags


@dataclass(frozen=True, slots=True)
class DQDefinition:
    """The meaning of the bits of one reference file's DQ array.

    Attributes
    ----------
    pairs : tuple of (int, int)
        Bits in the file and the standard bits they stand for.
    unknown : tuple of str
        Names in the table that the standard does not have; their bits are dropped.
    standard : bool
        True where the file has no definitions: its bits are standard already.
    """

    pairs: tuple[tuple[int, int], ...] = ()
    unknown: tuple[str, ...] = ()
    standard: bool = False

    @classmethod
    def from_table(cls, dq_def: Any, flags: Mapping[str, int] | None = None) -> DQDefinition:
        """Read a DQ_DEF table (records with VALUE and NAME); None or an empty table means standard bits."""
        if dq_def is None or np.ndim(dq_def) == 0 or len(dq_def) == 0:
            return cls(standard=True)
        table = dqflags.pixel if flags is None else flags
        names = [_text(name) for name in dq_def["NAME"]]
        values = [int(value) for value in dq_def["VALUE"]]
        pairs = tuple((v, int(table[n])) for v, n in zip(values, names, strict=True) if n in table)
        return cls(pairs=pairs, unknown=tuple(n for n in names if n not in table))

    def apply(self, dq: NDArray[Any]) -> NDArray[Any]:
        """Return `dq` (any shape) with standard bits; the same array when nothing has to move."""
        if self.standard:
            return dq
        targets = self._targets(int(np.bitwise_or.reduce(dq, axis=None)) if dq.size else 0)
        if all(bit == target for bit, target in targets):
            return dq
        out = np.zeros_like(dq)
        flagged = np.flatnonzero(dq)  # few pixels carry flags, so only those are mapped
        old = dq.reshape(-1)[flagged]
        new = np.zeros_like(old)
        for bit, target in targets:
            new[(old & dq.dtype.type(bit)) != 0] |= dq.dtype.type(target)
        out.reshape(-1)[flagged] = new
        return out

    def _targets(self, used: int) -> list[tuple[int, int]]:
        """Return (bit, standard bits) for each single bit in use; 0 for a bit without a known name."""
        bits = [1 << k for k in range(used.bit_length()) if used >> k & 1]
        targets = []
        for bit in bits:
            target = 0
            for value, standard in self.pairs:
                target |= standard if value & bit else 0
            targets.append((bit, target))
        return targets


def dynamic_mask(dq: NDArray[Any], dq_def: Any) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Move a reference file's DQ bits to the standard ones.

    Parameters
    ----------
    dq : ndarray of unsigned int, any shape
        DQ array as stored in the reference file.
    dq_def : structured array or None
        Its DQ_DEF table, with columns VALUE and NAME.

    Returns
    -------
    dq : ndarray
        Standard bits; the same object when no bit in use has to move.
    unknown : tuple of str
        Names in the table that are not standard: their bits were dropped, and the caller should say so.
    """
    definition = DQDefinition.from_table(dq_def)
    return definition.apply(dq), definition.unknown


def _text(name: Any) -> str:
    return (name.decode("ascii", "replace") if isinstance(name, bytes) else str(name)).strip()
