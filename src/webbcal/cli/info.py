"""``webbcal info``: describe a file of any kind that the field uses."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from webbcal.core.errors import InputError, ParameterError
from webbcal.io.fits_reader import kind_of
from webbcal.io.opening import OpenedFile, open_file
from webbcal.notebook.facts import ArrayFact, array_fact, arrays_of, facts_of
from webbcal.run.exposure import meta_value
from webbcal.run.parameters import suggestion
from webbcal.run.record import runs_of

USAGE = """usage: webbcal info FILE [FILE ...]   [--tree] shows the whole tree of metadata

Files are products and reference files (FITS, ASDF), associations (JSON), parameter files (ASDF, cfg), and
catalogues (ECSV)."""

#: Parameter files as text; they may begin with a section, as JSON does with a list.
_TEXT_OF_PARAMETERS = (".cfg", ".ini")


def main(words: Sequence[str]) -> int:
    """Describe files."""
    files = [w for w in words if not w.startswith("-")]
    known = ("--tree", "--help", "-h")
    if unknown := [w for w in words if w.startswith("-") and w not in known]:
        raise ParameterError(f"info has no option {unknown[0]!r}{suggestion(unknown[0], known)}")
    if not files:
        print(USAGE)
        return 0 if "--help" in words or "-h" in words else 2
    for path in files:
        for line in describe(path, "--tree" in words):
            print(line.encode("utf-8", "backslashreplace").decode())
    return 0


def describe(path: str, with_tree: bool = False) -> list[str]:
    """Return the main facts of a file as lines.

    Raises
    ------
    InputError
        If it is damaged or of an unknown kind; the message says what is wrong.
    """
    kind = kind_of(path)
    if kind == "json" and Path(path).suffix not in _TEXT_OF_PARAMETERS:
        return _association(path)
    if kind in ("json", "unknown"):
        return _text(path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        file = open_file(path)
        try:
            if file.tree is not None and _is_parameters(file.tree):
                lines = _parameters(path)
            else:
                lines = _product(file, path, with_tree)
        finally:
            for opened in file.files:
                opened.close()
    notes = dict.fromkeys(str(warning.message) for warning in caught)
    return [*lines, *(f"  note: {note}" for note in notes)]


# Products and reference files


def _product(file: OpenedFile, path: str, with_tree: bool) -> list[str]:
    from webbcal import datamodels

    try:
        model = datamodels.open(file)
    except InputError as error:
        return _hdus(file, path, error)
    lines = [f"{path}: {type(model).__name__}"]
    lines += [f"  {label:24s}{value}" for label, value in facts_of(model)]
    arrays = [_array(fact) for fact in arrays_of(model)]
    lines += ["  arrays:", *arrays] if arrays else []
    steps = meta_value(model, "meta.cal_step")
    done = {name: status for name, status in steps.items() if status} if hasattr(steps, "items") else {}
    if done:
        lines += ["  steps:", *(f"    {name:22s}{status}" for name, status in done.items())]
    for run in runs_of(model):
        lines += _record(run)
    return lines + (model.describe_tree() if with_tree else [])


def _array(fact: ArrayFact) -> str:
    line = f"    {fact.name:22s}{fact.kind:10s}{fact.size}"
    return f"{line}   (no part of the model)" if fact.foreign else line


def _hdus(file: OpenedFile, path: str, why: InputError) -> list[str]:
    """Describe a file of which no model can be made.

    Raises
    ------
    InputError
        If it has no HDUs to describe.
    """
    if not file.hdus:
        raise why
    lines = [f"{path}: FITS, but no data model ({why})", "  HDUs:"]
    for hdu in file.hdus:
        named = f"{hdu.name},{hdu.version}"
        lines.append(f"    {named}" if hdu.data is None else _array(array_fact(named, hdu.data)))
    return lines


def _record(run: Mapping[str, Any]) -> list[str]:
    software, version, date = (run.get(key, "unknown") for key in ("software", "version", "date"))
    lines = [f"  run record: {software} {version}, {date}"]
    for step in run["steps"]:
        status, reason = str(step.get("status", "unknown")), step.get("reason", "no reason is recorded")
        text = status.lower() if status != "SKIPPED" else f"skipped: {reason}"
        changed = [
            f"{name} = {value.get('value')} [{value.get('origin')}]"
            for name, value in step["parameters"].items()
            if isinstance(value, Mapping) and value.get("origin") != "default"
        ]
        lines.append(
            f"    {step.get('step', 'unknown'):22s}{text}" + (f" ({'; '.join(changed)})" if changed else "")
        )
    return lines


# Other files


def _is_parameters(tree: Mapping[str, Any]) -> bool:
    return "parameters" in tree or ("class" in tree and "steps" in tree)


def _association(path: str) -> list[str]:
    from webbcal.associations.reading import load_association

    association = load_association(path)
    lines = [f"{path}: association, rule {association.get('asn_rule', 'unknown')}"]
    for product in association.products:
        lines.append(f"  product {product.name}")
        lines += [f"    {member.exptype:12s}{member.expname}" for member in product.members]
    return lines


def _parameters(path: str) -> list[str]:
    from webbcal.references.parameter_file import ParameterFile

    try:
        found = ParameterFile.read(path)
    except ParameterError as error:
        raise InputError(f"{error}") from error
    lines = [f"{path}: parameters of {found.class_name or found.name or 'a step'}"]
    lines += [f"  {name} = {value}" for name, value in found.parameters.items()]
    for step in found.steps:
        lines.append(f"  step {step.name or step.class_name}")
        lines += [f"    {name} = {value}" for name, value in step.parameters.items()]
    return lines


def _text(path: str) -> list[str]:
    with Path(path).open("rb") as file:
        start = file.read(4096)
    if start.startswith(b"# %ECSV"):
        return _catalogue(path)
    if Path(path).suffix in (".yaml", ".yml"):
        return _association(path)
    if Path(path).suffix in _TEXT_OF_PARAMETERS:
        return _parameters(path)
    raise InputError(
        f"{path}: begins as none of the files that webbcal knows: FITS, ASDF, JSON (an association), ECSV (a "
        "catalogue), cfg (parameters)"
    )


def _catalogue(path: str) -> list[str]:
    from astropy.table import Table

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = Table.read(path, format="ascii.ecsv")
    except Exception as error:  # astropy raises whatever its parts raise
        raise InputError(f"{path}: cannot be read as an ECSV catalogue ({error}); fetch it again") from error
    lines = [f"{path}: catalogue of {len(table)} rows", "  columns:"]
    for column in table.columns.values():
        unit = f"  {column.unit}" if column.unit is not None else ""
        lines.append(
            f"    {column.name:28s}{column.dtype.name:10s}{unit}  {column.description or ''}".rstrip()
        )
    return lines
