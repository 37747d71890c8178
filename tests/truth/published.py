"""Published configurations of grisms (GRISMCONF), evaluated here without webbcal.

The excerpts in ``grism_configurations/`` are evaluated as their form is published: coefficients of
1, x, y, x², xy, y², x³, x²y, xy², y³ for each power of t.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "grism_configurations"


@dataclass(frozen=True)
class Published:
    """A configuration: (quantity, order) -> coefficients, a row for each power of t."""

    rows: dict[tuple[str, int], list[list[float]]]

    @classmethod
    def read(cls, name: str) -> "Published":
        """Read an excerpt."""
        rows: dict[tuple[str, int], list[list[float]]] = {}
        for line in (FOLDER / f"{name}.conf").read_text().splitlines():
            if found := re.match(r"DISP([XYL])_([+-]?\d)_\d+\s+(.+)", line):
                quantity, order, numbers = found.groups()
                rows.setdefault((quantity, int(order)), []).append([float(n) for n in numbers.split()])
        return cls(rows)

    @property
    def orders(self) -> list[int]:
        """The orders that it describes."""
        return sorted({order for _, order in self.rows})

    def __call__(self, quantity: str, order: int, x: float, y: float, t: np.ndarray) -> np.ndarray:
        """Evaluate a quantity (L: µm, X and Y: pixels from the source) at a place of the direct image."""
        terms = np.array([1, x, y, x * x, x * y, y * y, x**3, x * x * y, x * y * y, y**3])
        values = [np.dot(row, terms[: len(row)]) for row in self.rows[quantity, order]]
        return np.polynomial.polynomial.polyval(t, values)
