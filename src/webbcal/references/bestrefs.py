"""Best references of an exposure, by the rules of CRDS.

The Calibration Reference Data System selects files by rules ("mappings": one context ``.pmap``, one
``.imap`` an instrument, one ``.rmap`` a reference type) and metadata of the exposure. All of that is done by
the ``crds`` package; this module drives it. Like ``crds.getreferences``, which it agrees with, it computes
the selection locally and downloads what the cache lacks; unlike it, it loads the rules of the wanted types
only (on a context of the size of the operational ones that is 0.07 s instead of 0.4 s), and it does not ask
the server for anything as long as ``CRDS_CONTEXT`` names a context and the cache holds all that is needed.
What crds has answered before is `remembered`, and then crds is not loaded at all.

The usual environment variables apply: CRDS_PATH, CRDS_SERVER_URL (one that contains "serverless", or none,
works from the cache alone), CRDS_CONTEXT, CRDS_OBSERVATORY, and the rarer ones of crds.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from webbcal.core.errors import MissingReferenceError, ReferenceFileError
from webbcal.references import remembered
from webbcal.references.crds_package import load_crds, only_news
from webbcal.references.download import download, fetching

log = logging.getLogger(__name__)

OBSERVATORY = "jwst"
SERVER = "https://jwst-crds.stsci.edu"
NOT_APPLICABLE = "N/A"

#: Metadata that a user recognises an exposure by, for messages.
_TELLING = {
    "INSTRUMENT.NAME": "instrument",
    "INSTRUMENT.DETECTOR": "detector",
    "INSTRUMENT.FILTER": "filter",
    "INSTRUMENT.PUPIL": "pupil",
    "EXPOSURE.TYPE": "exposure type",
    "EXPOSURE.READPATT": "read pattern",
    "SUBARRAY.NAME": "subarray",
    "OBSERVATION.DATE": "date",
}

_lock = threading.RLock()  # crds keeps its caches in plain dictionaries
_environment: dict[str, str] | None = None
_read: dict[str, str] = {}  # path -> text of mappings, as crds has read them in this process


def best_references(parameters: Mapping[str, Any], types: Sequence[str]) -> dict[str, str]:
    """Return the path of the best reference of each type, or "N/A".

    Parameters
    ----------
    parameters : mapping
        Metadata of the exposure by dotted name (``meta.instrument.name`` …), as
        `DataModel.get_crds_parameters` gives them.
    types : sequence of str
        Reference types (``gain``, ``pars-jumpstep`` …). A ``pars-`` type without a match is "N/A": steps
        have defaults for their parameters.

    Returns
    -------
    dict
        Type -> path in the cache (downloaded if needed and possible) or "N/A".

    Raises
    ------
    ReferenceFileError
        If the cache or context cannot be used, no rule fits the exposure, or a selected file is missing and
        cannot be fetched; the message says what to set.
    """
    if not types:
        return {}
    _check_observatory()
    simple = {k: v for k, v in parameters.items() if isinstance(v, (str, int, float, bool))}
    kinds = list(dict.fromkeys(t.lower() for t in types))
    found = remembered.recall(simple, kinds)
    if found is None:
        found = _unless_outrun(lambda: _ask(simple, kinds))
    return {t: found[t.lower()] for t in types}


#: Folders that crds makes in a new cache: of rules, references and configurations, for each instrument.
_FOLDERS = 32


def _unless_outrun(work: Callable[[], dict[str, str]]) -> dict[str, str]:
    """Do it again where crds was about to make a folder of the cache, and another process was quicker."""
    for _ in range(_FOLDERS):
        with contextlib.suppress(FileExistsError):
            return work()
    return work()


def _ask(parameters: Mapping[str, Any], types: Sequence[str]) -> dict[str, str]:
    """Ask crds, and remember what it says."""
    with _crds() as crds:
        name = _context(crds)
        chosen = _choose(crds, name, parameters, types)
        files = _fetch(crds, name, parameters, {t: f for t, f in chosen.items() if f != NOT_APPLICABLE})
        answer = {t: files.get(t, NOT_APPLICABLE) for t in types}
        if os.environ.get("CRDS_MODE") != "remote" and not _withdrawn_among(crds, [name, *chosen.values()]):
            rules = _rules(crds, name, parameters, types)
            paths = [crds.config.locate_mapping(rule.basename) for rule in rules]
            texts = {path: _read[path] for path in paths}
            names = [key for mapping in rules[2:] for key in mapping.get_required_parkeys()]
            remembered.remember(parameters, answer, texts, _config(crds), names)
    return answer


def context() -> str:
    """Return the name of the context in use, such as ``jwst_1364.pmap``.

    Raises
    ------
    ReferenceFileError
        If there is none.
    """
    known = remembered.literal_context() or remembered.recall_context()
    if known is not None:
        return known
    with _crds() as crds:
        name = _context(crds)
        remembered.remember_context(name, _config(crds))
        return name


def crds_version() -> str:
    """Return the version of the crds package, for the products' CRDS_VER."""
    return version("crds")


# ---------------------------------------------------------------- environment


def _check_observatory() -> None:
    observatory = os.environ.get("CRDS_OBSERVATORY", "")
    if observatory.lower() not in ("", "none", OBSERVATORY):  # crds itself sets "None"
        raise ReferenceFileError(f"CRDS_OBSERVATORY is {observatory!r}; set it to 'jwst' or unset it")


@contextlib.contextmanager
def _crds() -> Iterator[Any]:
    """Give the crds package, set up for the environment of this moment; turn its failures into ours."""
    with _lock:
        _check_observatory()
        crds = load_crds()
        _follow_environment(crds)
        _check_cache_folder(crds)
        try:
            with only_news():
                yield crds
        except SystemExit as error:  # crds ends the process when it has neither server nor configuration
            raise ReferenceFileError(_no_context(crds)) from error
        except crds.exceptions.CrdsError as error:
            raise ReferenceFileError(
                f"CRDS failed: {error} ({_setting('CRDS_PATH')}, {_setting('CRDS_SERVER_URL')}, "
                f"{_setting('CRDS_CONTEXT')})"
            ) from error


def _follow_environment(crds: Any) -> None:
    """Let crds forget what it remembers of other settings: notebooks set variables after importing."""
    global _environment
    settings = (item for item in os.environ.items() if item[0].startswith("CRDS_"))
    now = {k: v for k, v in settings if "PATH" in k or k in ("CRDS_SERVER_URL", "CRDS_CONTEXT")}
    if remembered.serverless():  # else crds writes that file itself
        now["server_config"] = str(remembered.stamp(_config(crds)))
    if now == _environment:
        return
    if _environment is not None:
        _forget(crds)
    crds.client.api.set_crds_server(now.get("CRDS_SERVER_URL", "https://crds-serverless-mode.stsci.edu"))
    _environment = now


def _forget(crds: Any) -> None:
    crds.utils.clear_function_caches()
    crds.config.CRDS_REF_SUBDIR_MODE = None
    _read.clear()


def _config(crds: Any) -> str:
    return str(crds.config.locate_config("server_config", OBSERVATORY))


def _check_cache_folder(crds: Any) -> None:
    root = Path(crds.config.get_crds_mappath(OBSERVATORY))
    if root.is_dir():
        return
    folder = Path(os.environ.get("CRDS_PATH", crds.config.CRDS_DEFAULT_CACHE))
    if "CRDS_PATH" not in os.environ and not any(k.startswith("CRDS_") and "PATH" in k for k in os.environ):
        raise ReferenceFileError(
            f"CRDS_PATH is not set and the default cache {folder} does not exist: set CRDS_PATH to a folder "
            f"for reference files, e.g. export CRDS_PATH=$HOME/crds_cache CRDS_SERVER_URL={SERVER}"
        )
    if not _has_server(crds):
        raise ReferenceFileError(
            f"no CRDS rules under {root} and no server to fetch them from ({_setting('CRDS_SERVER_URL')}): "
            f"set CRDS_PATH to the folder of a CRDS cache, or CRDS_SERVER_URL={SERVER}"
        )
    try:
        root.mkdir(parents=True, exist_ok=True)  # another process may do so, too
    except OSError as error:
        raise ReferenceFileError(
            f"CRDS_PATH={folder} cannot be written ({error.strerror}); set CRDS_PATH to a writable folder"
        ) from error


def _has_server(crds: Any) -> bool:
    address = crds.client.api.get_crds_server(obs=OBSERVATORY)
    return "serverless" not in address and "server-less" not in address


def _setting(name: str) -> str:
    return f"{name}={os.environ[name]}" if name in os.environ else f"{name} is not set"


# ---------------------------------------------------------------- context


def _context(crds: Any) -> str:
    """Return the literal name of the context; only a name that CRDS_CONTEXT does not give needs a server."""
    wanted = os.environ.get("CRDS_CONTEXT", "")
    if wanted.endswith(".pmap"):
        return wanted
    try:
        return str(crds.heavy_client.get_context_name(OBSERVATORY))
    except (crds.exceptions.CrdsError, AssertionError) as error:
        raise ReferenceFileError(f"{_no_context(crds)} ({error})") from error


def _no_context(crds: Any) -> str:
    return (
        f"no CRDS context: {_setting('CRDS_CONTEXT')}, {_setting('CRDS_SERVER_URL')} and the cache "
        f"{crds.config.get_crds_cfgpath(OBSERVATORY)} has no usable server_config; set CRDS_CONTEXT to a "
        f"context in the cache (jwst_NNNN.pmap), or CRDS_SERVER_URL={SERVER}"
    )


# ---------------------------------------------------------------- selection


def _choose(crds: Any, name: str, parameters: Mapping[str, Any], types: Sequence[str]) -> dict[str, str]:
    """Return type -> file name or "N/A"."""
    if os.environ.get("CRDS_MODE") == "remote":
        found = crds.client.api.get_best_references(name, dict(parameters), reftypes=list(types))
    else:
        try:
            found = _evaluate(crds, name, parameters, types)
        except OSError as error:
            _fetch_rules(crds, name, error)
            found = _evaluate(crds, name, parameters, types)
    _check_not_withdrawn(crds, name, found)
    return {t: _file_of(t, found.get(t), name, parameters) for t in types}


def _evaluate(crds: Any, name: str, parameters: Mapping[str, Any], types: Sequence[str]) -> dict[str, str]:
    """Evaluate the rules of these types.

    Raises
    ------
    OSError
        If a mapping is not in the cache.
    """
    header = crds.utils.condition_header(parameters)
    rules = _rules(crds, name, parameters, types)
    # The rules see everything that they name; what the exposure lacks is "UNDEFINED".
    for rule in rules[2:]:
        header = dict.fromkeys(rule.get_required_parkeys(), "UNDEFINED") | header
    return dict(rules[1].get_best_references(header, include=list(types)))


def _rules(crds: Any, name: str, parameters: Mapping[str, Any], types: Sequence[str]) -> list[Any]:
    """Return the mappings that have a say: that of the context, the instrument's, and one a type if it has.

    crds reads a file once a process; one that has changed since is read again.
    """
    for _ in range(2):
        rules = _loaded_rules(crds, name, parameters, types)
        paths = [crds.config.locate_mapping(rule.basename) for rule in rules]
        texts = {path: Path(path).read_text("utf-8") for path in paths}
        if all(_read.get(path, text) == text for path, text in texts.items()):
            break
        _forget(crds)
    _read.update(texts)
    return rules


def _loaded_rules(crds: Any, name: str, parameters: Mapping[str, Any], types: Sequence[str]) -> list[Any]:
    pipeline = crds.rmap.get_cached_mapping(name)
    instrument = pipeline.get_imap(pipeline.get_instrument(crds.utils.condition_header(parameters)))
    rules = [pipeline, instrument]
    absent = (
        crds.exceptions.IrrelevantReferenceTypeError,
        crds.exceptions.OmitReferenceTypeError,
        crds.exceptions.CrdsUnknownReftypeError,  # reported with the other reasons for which there is no file
    )
    for kind in types:
        with contextlib.suppress(*absent):
            rules.append(instrument.get_rmap(kind))
    return rules


def _file_of(kind: str, found: str | None, name: str, parameters: Mapping[str, Any]) -> str:
    if found is None or found.upper() in ("N/A", "NOT FOUND N/A"):
        return NOT_APPLICABLE
    if not found.startswith("NOT FOUND"):
        return found
    reason = found.removeprefix("NOT FOUND").strip()
    if kind.startswith("pars-"):
        log.debug("no %s in %s: %s", kind, name, reason)
        return NOT_APPLICABLE
    known = {k.upper().removeprefix("META."): v for k, v in parameters.items()}
    exposure = ", ".join(f"{label} {known[k]}" for k, label in _TELLING.items() if k in known)
    whose = f"{known['FILENAME']}: " if "FILENAME" in known else ""
    raise ReferenceFileError(
        f"{whose}context {name} has no {kind} reference for this exposure ({exposure}): {reason}. Check "
        f"these keywords, set CRDS_CONTEXT to another context, or give a file with override_{kind}"
    )


def _check_not_withdrawn(crds: Any, name: str, found: Mapping[str, str | None]) -> None:
    """Refuse (or warn of) files that the server has marked as scientifically invalid."""
    for file in _withdrawn_among(crds, [name, *(f for f in found.values() if f)]):
        rules = file == name
        if crds.config.ALLOW_BAD_RULES if rules else crds.config.ALLOW_BAD_REFERENCES:
            log.warning("%s is designated as scientifically invalid by CRDS", file)
        else:
            raise ReferenceFileError(
                f"CRDS designates {file} as scientifically invalid: set CRDS_CONTEXT to another context, or "
                "CRDS_ALLOW_BAD_RULES=1 and CRDS_ALLOW_BAD_REFERENCES=1 to use it all the same"
            )


def _withdrawn_among(crds: Any, files: Sequence[str]) -> list[str]:
    config = Path(_config(crds))
    if not config.is_file():
        return []
    bad = _withdrawn(crds, str(config), config.stat().st_mtime_ns)
    return [file for file in files if file in bad]


@lru_cache(maxsize=1)
def _withdrawn(crds: Any, config: str, modified: int) -> frozenset[str]:
    # The file is some megabytes: it is not read again for every exposure of a session.
    return frozenset(crds.heavy_client.load_server_info(OBSERVATORY).bad_files_list)


# ---------------------------------------------------------------- files


def _fetch_rules(crds: Any, name: str, missing: OSError) -> None:
    if not _has_server(crds):
        file = missing.filename or name
        raise ReferenceFileError(
            f"CRDS context {name} is not complete in the cache ({file} is missing): set CRDS_CONTEXT to "
            f"one that is, CRDS_PATH to the cache that has it, or CRDS_SERVER_URL={SERVER} to fetch it"
        ) from missing
    log.info("fetching the CRDS rules of %s", name)
    with fetching(Path(crds.config.get_crds_mappath(OBSERVATORY))):
        crds.client.api.dump_mappings(name)  # those that somebody else has fetched are not fetched again


def _fetch(crds: Any, name: str, parameters: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, str]:
    """Return the paths of selected files, downloading those that are not in the cache."""
    header = dict(parameters)

    def locate() -> dict[str, str]:
        return {t: crds.config.locate_file(f, OBSERVATORY, parameters=header) for t, f in files.items()}

    paths = locate()
    advice = f"set CRDS_SERVER_URL={SERVER} to fetch it"
    if _missing(paths) and _has_server(crds):
        failed = download(crds, name, _missing(paths).values(), header)
        advice = f"the server did not deliver it ({'; '.join(failed.values())})"
        paths = locate()
    missing = _missing(paths)
    if missing:
        kind = next(iter(missing))
        raise MissingReferenceError(
            f"selected by {name} but not in the cache: {', '.join(missing.values())}; {advice}, check "
            f"CRDS_PATH, or give a file with override_{kind}"
        )
    return paths


def _missing(paths: Mapping[str, str]) -> dict[str, str]:
    return {kind: path for kind, path in paths.items() if not Path(path).is_file()}
