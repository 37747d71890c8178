"""Read association files."""

from __future__ import annotations

import json
import logging
import os
import warnings
from pathlib import Path
from typing import IO, Any

from webbcal.associations.association import Association, Member
from webbcal.associations.sources import YAML_SUFFIXES, is_association_name
from webbcal.associations.validation import is_bare, validate
from webbcal.core.errors import InputError, MissingInputError
from webbcal.core.sharing import check_size

log = logging.getLogger(__name__)


def load_association(path: str | os.PathLike[str], *, twice: bool = False) -> Association:
    """Read an association: JSON, or YAML (as jwst does, with a warning).

    Parameters
    ----------
    path : path
        ``~`` and environment variables are expanded. Files of members are looked for in its folder, by
        `Association.resolve`; they need not be there (see `Association.require_files`).
    twice : bool
        Whether a member may be there twice; see `validate`.

    Raises
    ------
    InputError
        If the file cannot be read, is not JSON or YAML, is not an association (see
        `webbcal.associations.validation.validate`), or has an association as member, itself perhaps.
    """
    where = Path(os.path.expandvars(path)).expanduser()
    data = _parse(_text(where), where)
    validate(data, str(where), twice=twice)
    association = Association(data, path=where)
    for member in _nested(association):
        _refuse(association, member)
    return association


def load_asn(serialized: str | IO[str], fmt: str | None = None, **_: Any) -> Association:
    """Return the association that a text or an open file holds; its folder is the working folder.

    Parameters
    ----------
    serialized : str or file
        JSON or YAML.
    fmt, **_
        What jwst takes beside it (``registry``, ``first``, ``validate``); the format is seen from the text.
        A list of members without products is taken, too, though no pipeline will.

    Raises
    ------
    InputError
        If it is not JSON or YAML, or is no association.
    """
    name = str(getattr(serialized, "name", "the text"))
    data = _parse(serialized if isinstance(serialized, str) else serialized.read(), Path(name))
    if not is_bare(data):
        validate(data, name)
    association = Association(data)
    if any(Path(m.expname).parent.name for p in association.products for m in p.members if m.model is None):
        warnings.warn(
            "Input association file contains path information; it will not do where its files are elsewhere",
            stacklevel=2,
        )
    return association


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not an association: it is no text; give the name of a JSON file") from None
    except FileNotFoundError:
        raise MissingInputError(f"{path}: there is no such association file; check the name") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def _parse(text: str, path: Path) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        wrong = error
    except (RecursionError, ValueError) as error:  # lists in lists in lists, a number of thousands of digits
        raise InputError(f"{path}: not an association: it cannot be read as JSON ({error})") from error
    # YAML forgives what JSON does not, such as the comma after a last entry in the field's own examples.
    data = _yaml(text)
    if not isinstance(data, dict):
        raise InputError(
            f"{path}: not JSON: {wrong.msg} at line {wrong.lineno}, column {wrong.colno}; correct it there"
        )
    try:
        check_size(data)
    except InputError as error:
        raise InputError(f"{path}: not an association: {error}") from error
    _warn_of_yaml(path)
    if path.suffix.lower() in YAML_SUFFIXES:
        log.warning("%s: associations in YAML are deprecated in the field; JSON is safer", path)
    else:
        log.warning(
            "%s: is not JSON (%s at line %d, column %d) but was read as YAML; a comma too many?",
            path,
            wrong.msg,
            wrong.lineno,
            wrong.colno,
        )
    return data


def _warn_of_yaml(path: Path) -> None:
    """Warn in the field's words, so that filters of warnings that scripts have set know it."""
    if path.suffix.lower() == ".json":
        text = "Association file has json suffix but is invalid JSON or is force-loaded as YAML"
    else:
        text = "Support for associations as YAML files is deprecated"
    warnings.warn(f"{text}; use json", DeprecationWarning, stacklevel=4)


def _yaml(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):  # also a 13th month
        return None


def _nested(association: Association) -> list[Member]:
    members = (m for product in association.products for m in product.members)
    return [m for m in members if m.model is None and is_association_name(m.expname)]


def _refuse(association: Association, member: Member) -> None:
    """Say what is wrong with an association that is a member of another."""
    assert association.path is not None
    cycle = _way_back(association, [association.path])
    if cycle is None:
        what = f"member {member.expname} is itself an association; list its exposures instead"
    elif len(cycle) == 2:
        what = "lists itself as a member; remove that member"
    else:
        what = f"refers back to itself: {' → '.join(p.name for p in cycle)}; list exposures instead"
    raise InputError(f"{association.path}: {what}")


def _way_back(association: Association, trail: list[Path]) -> list[Path] | None:
    """Return the paths from the first of `trail` through members back to it, None if there is no way."""
    for member in _nested(association):
        path = association.resolve(member)
        seen = [p.resolve() for p in trail]
        if path.resolve() == seen[0]:
            return [*trail, path]
        if path.resolve() in seen:
            continue
        try:
            data = json.loads(_text(path))
            validate(data, str(path))
        except ValueError:  # not there, not JSON, not valid: then it refers to nothing
            continue
        found = _way_back(Association(data, path=path), [*trail, path])
        if found:
            return found
    return None
