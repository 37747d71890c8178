"""Which HDU of a file: its name, its number, and whether others before it have both."""

from __future__ import annotations

import re
from typing import NamedTuple

_KEY = re.compile(r"(.*?)(?:,(-?\d+))?(?:#(\d+))?", re.DOTALL)


class HduKey(NamedTuple):
    """An HDU; in ``extra_fits`` it is ``NAME``, ``NAME,2``, or if it is the second of both, ``NAME,2#1``."""

    name: str
    version: int
    again: int = 0

    def __str__(self) -> str:
        version = f",{self.version}" if self.version != 1 or self.again else ""
        return f"{self.name}{version}{f'#{self.again}' if self.again else ''}"

    @classmethod
    def of(cls, text: str) -> HduKey:
        """Return the key that a text stands for."""
        match = _KEY.fullmatch(text)
        assert match is not None  # it takes any text
        return cls(match[1], int(match[2] or 1), int(match[3] or 0))
