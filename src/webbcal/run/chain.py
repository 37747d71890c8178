"""Chains: consecutive band steps, bound to one exposure, run band by band on threads.

The phases of a run are always the same. First each operation, in order, may *measure* something small from
the data as they are just before it (`Chain.upstream`): reference pixels read only the border. Then bands are
read, pass through all operations while they are in cache, and go to the sinks.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from webbcal.core.box import Box
from webbcal.core.threads import run_on_threads as run_on_threads
from webbcal.run.bands import Band, RampBand, Source
from webbcal.run.exposure import Exposure
from webbcal.run.planning import SkipStep as SkipStep
from webbcal.run.progress import Progress

if TYPE_CHECKING:
    from webbcal.run.band_step import BandStep


#: A band is cropped when it has this many times the rows that the steps to come need.
WASTE = 1.15


class BandReferences:
    """The references of a step, cut to one band, each array read once a band."""

    def __init__(self, references: Mapping[str, Any], box: Box, cache: dict[tuple[int, str], Any]) -> None:
        self._references = references
        self._box = box
        self._cache = cache

    def __getitem__(self, reference_type: str) -> Any:
        return self._references[reference_type]

    def __contains__(self, reference_type: str) -> bool:
        return self._references.get(reference_type) is not None

    def read(self, reference_type: str, array: str = "data") -> Any:
        """Return an array of a reference over this band (shared between steps: do not change it)."""
        reference = self._references[reference_type]
        key = (id(reference), array)  # steps may use different files of one type
        if key not in self._cache:
            self._cache[key] = reference.read(array, self._box)
        return self._cache[key]


@dataclass
class Operation:
    """A step bound to an exposure: its parameters, references and what it measured."""

    step: BandStep
    parameters: Any
    references: Mapping[str, Any]
    exposure: Exposure
    state: Any = None
    seconds: float = 0.0

    @property
    def halo(self) -> int:
        """Rows of halo that this operation consumes."""
        return self.step.halo(self.parameters)

    def measure(self, upstream: Callable[[Box], RampBand]) -> None:
        """Run the measure phase."""
        self.state = self.step.measure(self.exposure, self.references, self.parameters, upstream)

    def apply(self, band: Band, cache: dict[tuple[int, str], Any]) -> Band:
        """Run the step on one band."""
        start = time.perf_counter()
        box = band.box if isinstance(band, RampBand) else band.interior
        references = BandReferences(self.references, box, cache)
        result = self.step.apply(band, references, self.parameters, self.state)
        self.seconds += time.perf_counter() - start
        return result


@dataclass
class Chain:
    """Operations over a source of bands."""

    source: Source
    operations: list[Operation] = field(default_factory=list)

    @property
    def halo(self) -> int:
        """Halo that a band needs so that its interior is right after all operations."""
        return sum(op.halo for op in self.operations)

    def append(self, operation: Operation) -> None:
        """Let the operation measure what it needs, then add it.

        Raises
        ------
        SkipStep
            When the step cannot apply to these data.
        """
        operation.measure(self.upstream)
        self.operations.append(operation)

    def upstream(self, interior: Box) -> RampBand:
        """Return a band of the data after all operations so far, for a measure phase."""
        return self.process(interior)  # type: ignore[return-value]

    def process(self, interior: Box, after_each: Callable[[int, Band], None] | None = None) -> Band:
        """Read one band and pass it through all operations."""
        halo = self.halo
        band: Band = self.source.read(interior, halo)
        cache: dict[tuple[int, str], Any] = {}
        if after_each:
            after_each(-1, band)
        for index, operation in enumerate(self.operations):
            if isinstance(band, RampBand) and _wasteful(band, halo):
                band = band.cropped(halo)
                cache.clear()
            band = operation.apply(band, cache)
            halo -= operation.halo
            if after_each:
                after_each(index, band)
        return band

    def reviewed(self, counts: Counter[str], band_rows: int) -> bool:
        """Let each step judge what all bands found; tell whether a step asks for another pass."""
        bands = len(list(self.source.frame.bands(band_rows)))
        again = False
        for operation in self.operations:
            state = operation.step.review(counts, bands, operation.state)
            if state is not None:
                operation.state, again = state, True
        return again

    def run(
        self, band_rows: int, threads: int, after_each: Callable[[int, Band], None], progress: Progress
    ) -> Counter[str]:
        """Process all bands; return the summed counts.

        The first error in any band cancels the rest and is raised here.
        """
        counts: Counter[str] = Counter()
        boxes = list(self.source.frame.bands(band_rows))

        def one(interior: Box) -> dict[str, float]:
            band = self.process(interior, after_each)
            progress.advance(1)
            return band.counts

        for result in run_on_threads(one, boxes, threads):
            counts.update(result)
        return counts


def _wasteful(band: RampBand, halo: int) -> bool:
    """Tell whether so many rows of a band are not needed any more that a copy without them pays."""
    needed = band.interior.shape[0] + 2 * halo
    return band.box.shape[0] > WASTE * needed
