"""Best references that CRDS has named before, remembered on disk.

Loading crds takes longer than planning a pipeline. Which file is best, however, depends on nothing but the
rules, the settings (``CRDS_…`` variables), and those keywords of the exposure that the rules mention; dates
count only by the limits of the rules between which they fall. All of that is the key here, the rules by the
sha256 of their text, so that rules which changed under the same name are never answered from memory.

Whatever is not understood to the end is left to crds: contexts that a server names, rules that choose by date
in another way than "use after", references that have gone from the cache, entries that are damaged.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import threading
from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from webbcal.references import user_cache

#: Changes with the meaning of what is written.
FORMAT = 1
#: Entries (one a set of types and settings) and answers of one that are kept; older ones are dropped.
_MOST_ENTRIES, _MOST_ANSWERS = 64, 200

#: Settings that say which file is best and where it lies, beside those of paths. crds sets all of its
#: variables to their defaults when it is loaded, which must not make another question of the same.
_VARIABLES = {
    f"CRDS_{name}"
    for name in (
        "CONTEXT", "SERVER_URL", "MODE", "ALLOW_BAD_RULES", "ALLOW_BAD_REFERENCES", "CONFIG_URI",
        "MAPPING_URI", "REFERENCE_URI", "PICKLE_URI", "USE_PICKLED_CONTEXTS", "IGNORE_MAPPING_CHECKSUM",
        "S3_ENABLED", "S3_RETURN_URI", "S3_BUCKET", "READONLY_CACHE", "REF_SUBDIR_MODE",
    )
}  # fmt: skip
_DEFAULTS = ("", "none", "false", "auto")

_DATE, _TIME = "META.OBSERVATION.DATE", "META.OBSERVATION.TIME"
_LIMIT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_USE_AFTER = re.compile(r"UseAfter\s*\(\s*\{(.*?)\}", re.DOTALL)
_KEY = re.compile(r"""['"]([^'"]*)['"]\s*:""")
_USUAL_PARKEY = re.compile(
    r"""\(\s*['"]META\.OBSERVATION\.DATE['"],\s*['"]META\.OBSERVATION\.TIME['"],?\s*\),?\s*\)"""
)
_BY_DATE_OTHERWISE = re.compile(r"(ClosestTime|GeometricallyNearest|Bracket|VersionAfter|SelectVersion)\s*\(")

_lock = threading.Lock()


def recall(parameters: Mapping[str, Any], types: Sequence[str]) -> dict[str, str] | None:
    """Return type -> path or "N/A" if that is known for certain; None if crds has to be asked.

    Parameters
    ----------
    parameters : mapping
        Metadata of the exposure by dotted name.
    types : sequence of str
        Reference types in lower case.
    """
    if not _memorable():
        return None
    entry = user_cache.read(_entry_file(types))
    try:
        if not (_same_config(entry["config"]) and _same_rules(entry["rules"])):
            return None
        answer = entry["answers"][_digest(_what_counts(parameters, entry["names"], entry["limits"]))]
        found = {kind: str(answer[kind]) for kind in types}
    except (KeyError, TypeError, ValueError, AttributeError):  # not known, or damaged
        return None
    return found if all(path == "N/A" or Path(path).is_file() for path in found.values()) else None


def remember(
    parameters: Mapping[str, Any],
    answer: Mapping[str, str],
    rules: Mapping[str, str],
    config: str,
    names: Iterable[str],
) -> None:
    """Remember an answer of crds.

    Parameters
    ----------
    parameters : mapping
        Metadata of the exposure by dotted name.
    answer : mapping
        Type, in lower case, -> path or "N/A".
    rules : mapping
        Path -> text of all mappings that had a say.
    config : str
        Path of the cache's ``server_config``, whether it exists or not.
    names : iterable of str
        Metadata that count beside those which the rules mention.
    """
    if not _memorable() or not all(Path(path).is_absolute() for path in [*rules, config]):
        return
    known = _names_in([*rules.values(), *names])
    entry: dict[str, Any] = {
        "rules": {path: _digest(text) for path, text in rules.items()},
        "config": [config, stamp(config)],
        "names": sorted(known),
        "limits": _limits_in(rules.values()),
    }
    file = _entry_file(list(answer))
    key = _digest(_what_counts(parameters, entry["names"], entry["limits"]))
    with _lock:
        before = user_cache.read(file)
        same = all(before.get(part) == value for part, value in entry.items())
        old = before.get("answers") if same else None
        answers = (old if isinstance(old, dict) else {}) | {key: dict(answer)}
        user_cache.write(file, entry | {"answers": dict(list(answers.items())[-_MOST_ANSWERS:])})
        _drop_oldest(file.parent)


def recall_context() -> str | None:
    """Return the name of the context that the cache's ``server_config`` makes of the settings, if known."""
    entry = user_cache.read(_context_file()) if _memorable() else {}
    try:
        return str(entry["context"]) if _same_config(entry["config"]) else None
    except (KeyError, TypeError, ValueError):
        return None


def remember_context(name: str, config: str) -> None:
    """Remember the name of the context."""
    if _memorable() and Path(config).is_absolute() and Path(config).is_file():
        user_cache.write(_context_file(), {"context": name, "config": [config, stamp(config)]})


# ---------------------------------------------------------------- settings


def literal_context() -> str | None:
    """Return the context that CRDS_CONTEXT names, if it is the name of a file."""
    name = os.environ.get("CRDS_CONTEXT", "")
    return name if name.endswith(".pmap") else None


def _memorable() -> bool:
    """Tell whether what crds answers depends on nothing but this machine."""
    if os.environ.get("CRDS_MODE") == "remote":
        return False
    return literal_context() is not None or serverless()


def serverless() -> bool:
    """Tell whether the settings name no server."""
    address = os.environ.get("CRDS_SERVER_URL", "serverless")
    return "serverless" in address or "server-less" in address


def _settings() -> list[Any]:
    variables = sorted(
        (name, value)
        for name, value in os.environ.items()
        if (name in _VARIABLES or (name.startswith("CRDS_") and "PATH" in name))
        and value.lower() not in _DEFAULTS
    )
    return [FORMAT, version("crds"), os.environ.get("HOME"), variables]


def _folder() -> Path:
    return user_cache.folder() / "references"


def _entry_file(types: Sequence[str]) -> Path:
    return _folder() / f"best-{_digest([_settings(), sorted(types)])[:40]}.json"


def _context_file() -> Path:
    return _folder() / f"context-{_digest(_settings())[:40]}.json"


def _drop_oldest(folder: Path) -> None:
    with contextlib.suppress(OSError):
        files = sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime)
        for file in files[:-_MOST_ENTRIES]:
            file.unlink()


# ---------------------------------------------------------------- rules and exposures


def _digest(what: Any) -> str:
    text = what if isinstance(what, str) else json.dumps(what, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def stamp(path: str) -> list[int] | None:
    """Return what tells one version of a file from another; None if it does not exist."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]


def _same_config(config: Sequence[Any]) -> bool:
    path, known = config
    return stamp(path) == known


def _same_rules(rules: Mapping[str, str]) -> bool:
    try:
        return bool(rules) and all(_digest(Path(p).read_text("utf-8")) == d for p, d in rules.items())
    except OSError:
        return False


def _names_in(texts: Iterable[str]) -> set[str]:
    """Return what may be names of metadata, in capitals and with underscores (as in rules' expressions)."""
    names: set[str] = set()
    for text in texts:
        for word in set(re.findall(r"META[._][A-Z0-9_.]+", text.upper())):
            parts = re.split(r"[._]", word)  # in x.y.strip() the name is x.y
            names.update("_".join(parts[: n + 1]) for n in range(1, len(parts)))
    return names


def _limits_in(texts: Iterable[str]) -> list[str] | None:
    """Return all dates that "use after" rules compare with; None if dates may count in another way."""
    limits: set[str] = set()
    for text in texts:
        keys = [key for block in _USE_AFTER.findall(text) for key in _KEY.findall(block)]
        beside = re.search(r"OBSERVATION[._](DATE|TIME)", _USUAL_PARKEY.sub("", text, count=1).upper())
        if beside or _BY_DATE_OTHERWISE.search(text) or not all(map(_LIMIT.fullmatch, keys)):
            return None
        limits.update(keys)
    return sorted(limits)


def _what_counts(
    parameters: Mapping[str, Any], names: Sequence[str], limits: Sequence[str] | None
) -> dict[str, Any]:
    """Return the metadata that rules with these names see, with the place between limits for the date."""
    known = set(names)
    counts = {k.upper(): v for k, v in parameters.items() if k.upper().replace(".", "_") in known}
    if limits is None:
        return counts
    place = _place(counts.get(_DATE), counts.get(_TIME), limits)
    if place is not None:
        counts |= {_DATE: place, _TIME: place}
    return counts


def _place(date: Any, time: Any, limits: Sequence[str]) -> int | None:
    """Return how many limits are before a time; None if it is on one, or not in the usual form."""
    try:
        moment = str(datetime.fromisoformat(f"{date} {time}"))
    except ValueError:
        return None
    usual = re.fullmatch(_LIMIT.pattern + r"(\.\d{1,6})?", f"{date} {time}")
    return bisect(limits, moment) if usual and moment[:19] not in limits else None
