"""What a product says of how it was made: the run record, or, in files of others, the keywords."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from webbcal import datamodels
from webbcal.run.exposure import meta_value
from webbcal.run.record import runs_of

_STATES = {"COMPLETE": "applied", "SKIPPED": "skipped", "FAILED": "failed"}


@dataclass(frozen=True)
class ParameterValue:
    """A parameter as it was: its value, and where that came from ("" if nobody knows)."""

    name: str
    value: Any
    origin: str = ""

    @property
    def is_default(self) -> bool:
        """Whether it is the default of the code."""
        return self.origin == "default"


@dataclass(frozen=True)
class ReferenceUse:
    """A reference file that was used, or the word that there is none (N/A)."""

    kind: str
    name: str
    sha256: str = ""
    origin: str = ""


@dataclass(frozen=True)
class StepAccount:
    """What became of a step.

    Attributes
    ----------
    name, status, reason : str
        ``status`` is applied, skipped or failed; ``reason`` is "" where none is known.
    parameters, references : tuple
        Empty in files without a run record (references are then those of the whole file).
    results : mapping
        What the step measured.
    seconds : float or None
        Time that it took, added up over threads where it ran on several.
    peak_memory : int or None
        Most bytes that the process had held when it was recorded.
    """

    name: str
    status: str
    reason: str = ""
    parameters: tuple[ParameterValue, ...] = ()
    references: tuple[ReferenceUse, ...] = ()
    results: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    peak_memory: int | None = None


@dataclass(frozen=True)
class Call:
    """How a run was started: what, on what, with which parameters that are not defaults."""

    target: str
    inputs: tuple[Mapping[str, str], ...] = ()
    parameters: tuple[ParameterValue, ...] = ()


@dataclass(frozen=True)
class RunAccount:
    """One run: of a pipeline, or of a step alone.

    Attributes
    ----------
    software, version, date, context : str
        "" where nothing is said.
    steps : tuple of StepAccount
    call : Call or None
        None in files without a run record, and in those of versions that did not write it.
    references : tuple of ReferenceUse
        References of which it is not known which step used them.
    seconds, threads : number or None
    libraries : mapping
        Name -> version.
    """

    software: str
    version: str
    date: str
    context: str
    steps: tuple[StepAccount, ...]
    call: Call | None = None
    references: tuple[ReferenceUse, ...] = ()
    seconds: float | None = None
    threads: int | None = None
    libraries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Account:
    """How a product was made.

    Attributes
    ----------
    path : Path
    kind : str
        Class of its data model.
    runs : tuple of RunAccount
        Oldest first. Without a run record, one run that has all that the keywords tell.
    has_record : bool
        Whether it has a run record.
    """

    path: Path
    kind: str
    runs: tuple[RunAccount, ...]
    has_record: bool

    @property
    def steps(self) -> list[StepAccount]:
        """The steps of all runs, in order."""
        return [step for run in self.runs for step in run.steps]

    @property
    def references(self) -> list[ReferenceUse]:
        """The references of all runs."""
        steps = [reference for step in self.steps for reference in step.references]
        return [*steps, *(reference for run in self.runs for reference in run.references)]


def account_of(path: Path) -> Account:
    """Return how the product in a file was made.

    Raises
    ------
    InputError
        If it is no product, or damaged.
    """
    with datamodels.open(path) as model:
        return account_of_model(model, path)


def account_of_model(model: Any, path: Path) -> Account:
    """Return how a model was made, which was opened from `path`."""
    recorded = [_run(entry) for entry in runs_of(model)]
    runs = recorded or list(_from_keywords(model))
    return Account(path, type(model).__name__, tuple(runs), bool(recorded))


def _run(entry: Mapping[str, Any]) -> RunAccount:
    return RunAccount(
        software=_text(entry.get("software")),
        version=_text(entry.get("version")),
        date=_text(entry.get("date")),
        context=_text(entry.get("crds_context")),
        steps=tuple(_step(step) for step in entry["steps"]),
        call=_call(entry.get("call")),
        seconds=_number(entry.get("seconds")),
        threads=None if (threads := _number(entry.get("threads"))) is None else int(threads),
        libraries={str(k): str(v) for k, v in _mapping(entry.get("libraries")).items()},
    )


def _step(entry: Mapping[str, Any]) -> StepAccount:
    status = _STATES.get(str(entry.get("status")), "unknown")
    memory = _number(entry.get("peak_memory"))
    return StepAccount(
        name=_text(entry.get("step")) or "unknown",
        status=status,
        reason="" if status == "applied" and entry.get("reason") == "applied" else _text(entry.get("reason")),
        parameters=_parameters(entry["parameters"]),
        references=tuple(_reference(kind, found) for kind, found in entry["references"].items()),
        results=_mapping(entry.get("results")),
        seconds=_number(entry.get("seconds")),
        peak_memory=None if memory is None else int(memory),
    )


def _call(entry: Any) -> Call | None:
    said = _mapping(entry)
    if not said.get("target"):
        return None
    inputs = said.get("inputs")
    given = [item for item in inputs if isinstance(item, Mapping)] if isinstance(inputs, list) else []
    return Call(str(said["target"]), tuple(given), _parameters(_mapping(said.get("parameters"))))


def _parameters(said: Mapping[str, Any]) -> tuple[ParameterValue, ...]:
    pairs = ((name, _mapping(value)) for name, value in said.items())
    return tuple(ParameterValue(str(n), v.get("value"), _text(v.get("origin"))) for n, v in pairs)


def _reference(kind: str, said: Any) -> ReferenceUse:
    found = _mapping(said)
    name = _text(found.get("name")).removeprefix("crds://") or "N/A"
    return ReferenceUse(kind, name, _text(found.get("sha256")), _text(found.get("origin")))


def _from_keywords(model: Any) -> Iterator[RunAccount]:
    """Yield what the keywords of a file without a run record tell, if they tell anything."""
    done = _instance(meta_value(model, "meta.cal_step"))
    steps = tuple(
        StepAccount(str(name), _STATES.get(str(status), str(status).lower()))
        for name, status in done.items()
        if status
    )
    files = _instance(meta_value(model, "meta.ref_file"))
    named = {str(kind): _text(_mapping(found).get("name")) for kind, found in files.items()}
    references = tuple(
        ReferenceUse(kind, name.removeprefix("crds://")) for kind, name in named.items() if name
    )
    if not steps and not references:
        return
    version = _text(meta_value(model, "meta.calibration_software_version"))
    context = _text(meta_value(model, "meta.ref_file.crds.context_used"))
    yield RunAccount("jwst" if version else "", version, "", context, steps, references=references)


def _instance(node: Any) -> Mapping[str, Any]:
    return _mapping(getattr(node, "instance", node))


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return a value if it is a mapping: records that others wrote may hold anything."""
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
