"""A run: what was given to it, what it may use, what it decided, did and saved.

Steps hold parameters; what one run of them knows is in a `Run`. It is made when a step is started, and handed
down. Code that is called with nothing but its data (a user's `process`, hooks) finds it as `current()`, which
holds for the thread that the run is in: runs side by side do not see each other.
"""

from __future__ import annotations

import logging
import os
import time
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from webbcal.core.provided import provided
from webbcal.core.resources import Resources, using
from webbcal.run.progress import Progress, Silent
from webbcal.run.protocols import StepLike

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Run:
    """One run of a step; those of the steps of a pipeline are parts of its run.

    Attributes
    ----------
    step : StepLike
        What runs.
    resources : Resources
        What it may use.
    progress : Progress
        Where it shows how far it is.
    parent : Run or None
        The run that this one is a part of.
    own_name : str or None
        The input's name (or that of a product), from which names of products are made.
    asn_id : str or None
        Identifier of the association, for names of products.
    done : list of StepPlan
        What was done by its steps, in order, those of its parts included.
    saved : list of str
        Files that were written, in order, by its parts too.
    destination : str or None
        Where its pipeline will save what it makes.
    references : list of (str, Reference)
        What a user's step has asked for, with the type.
    result : object
        What the step returned.
    others : list of DataModel
        What it made beside its result and did not save yet (such as the rates of integrations).
    inputs : list of dict
        What it was given, for the run record.
    call : dict or None
        How it was started, for the run record, once that was asked for.
    started : float
        When it began, on the clock of `time.perf_counter`.
    """

    step: StepLike
    resources: Resources
    progress: Progress = field(default_factory=Silent)
    parent: Run | None = None
    own_name: str | None = None
    asn_id: str | None = None
    destination: str | None = None
    done: list[Any] = field(default_factory=list)
    saved: list[str] = field(default_factory=list)
    references: list[tuple[str, Any]] = field(default_factory=list)
    result: Any = None
    others: list[Any] = field(default_factory=list)
    inputs: list[dict[str, str]] = field(default_factory=list)
    call: dict[str, Any] | None = None
    started: float = field(default_factory=time.perf_counter)
    #: Whether its steps share the entry of the run record with those of its parent.
    shares_entry: bool = False
    #: What is to be closed, and its files: the run keeps no model in memory; one may go before its file.
    _opened: list[tuple[weakref.ref[Any], list[Any]]] = field(default_factory=list)
    _entered: set[str] = field(default_factory=set)

    def part(self, step: StepLike) -> Run:
        """Return the run of a step within this run."""
        return Run(step, self.resources, self.progress, self, asn_id=self.asn_id, shares_entry=True)

    def product(self, name: str, resources: Resources | None = None) -> Run:
        """Return the part that makes one of several products, with names made from `name`."""
        part = Run(self.step, resources or self.resources, self.progress, self, own_name=name)
        part.asn_id = self.asn_id
        return part

    @property
    def name(self) -> str | None:
        """What names of products are made from: the first input that was named, seen from the outside."""
        outer = self.parent.name if self.parent is not None else None
        # A part that makes a product has the name of the product.
        return self.own_name if outer is None or (self.own_name and not self.shares_entry) else outer

    @property
    def is_part(self) -> bool:
        """Whether it is the run of a step within another run."""
        return self.parent is not None

    @property
    def is_first(self) -> bool:
        """Whether nothing was done yet that the same entry of the run record tells of."""
        run = self
        while run.shares_entry and run.parent is not None:
            run = run.parent
        return not run.done

    def note_done(self, plans: Iterable[Any]) -> None:
        """Remember what was done, here and in the runs that this one is a part of."""
        plans = list(plans)
        for run in self.upwards():
            run.done.extend(plans)

    def note_saved(self, path: str | os.PathLike[str]) -> None:
        """Remember a product that was written, here and in the runs that this one is a part of."""
        log.info("saved %s", path)
        for run in self.upwards():
            run.saved.append(os.fspath(path))

    def enters(self, folder: str) -> bool:
        """Tell whether the run, with all its parts, comes to a folder for the first time."""
        *_, whole = self.upwards()
        first = folder not in whole._entered
        whole._entered.add(folder)
        return first

    def upwards(self) -> Iterator[Run]:
        """Yield this run and those that it is a part of."""
        run: Run | None = self
        while run is not None:
            yield run
            run = run.parent

    def closes(self, opened: Any) -> Any:
        """Return something that was opened, to be closed when the run ends, however it ends."""
        if hasattr(opened, "close"):
            self._opened.append((weakref.ref(opened), list(_files(opened))))
        return opened

    def _repr_html_(self) -> str:
        shown: str = provided("notebook").run_html(self)
        return shown

    def close(self) -> None:
        """Close what was opened, but for the files that results still read from."""
        needed = {id(file) for model in [*_listed(self.result), *self.others] for file in _files(model)}
        while self._opened:
            reference, files = self._opened.pop()
            opened = reference()
            if opened is not None:
                files = [opened] if not any(id(file) in needed for file in _files(opened)) else []
            for file in files:
                if id(file) not in needed:
                    file.close()

    @contextmanager
    def active(self) -> Iterator[Run]:
        """Be the current run of this thread; close what was opened at the end."""
        token = _current.set(self)
        try:
            with using(lambda: self.resources.threads):
                yield self
        finally:
            _current.reset(token)
            self.close()


_current: ContextVar[Run | None] = ContextVar("webbcal_run", default=None)


def current() -> Run | None:
    """Return the run that this code is part of, or None."""
    return _current.get()


def _files(model: Any) -> Sequence[Any]:
    return getattr(getattr(model, "contents", None), "files", ())


def _listed(result: Any) -> Sequence[Any]:
    return result if isinstance(result, (list, tuple)) else [result]
