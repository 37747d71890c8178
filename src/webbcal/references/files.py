"""Identity of reference files: the name that products record, and the sha256 of the content.

Hashing a dark of a gigabyte takes one to two seconds, so digests are kept in a small file under
``$XDG_CACHE_HOME/webbcal``, keyed by real path, size and modification time. The file is a convenience: if it
cannot be read or written, digests are computed anew.
"""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import Any

from webbcal.core.errors import ReferenceFileError, unreadable
from webbcal.references import user_cache

#: Digests that are kept; the oldest are dropped beyond.
_MOST = 2000

_lock = threading.Lock()


def header_name(reference: Any, origin: str) -> str:
    """Return what a product records of a reference (keywords ``R_GAIN`` …), as jwst does.

    A file from CRDS is ``crds://<name>``, a user's file its absolute path, a model ``override://<class>``.
    """
    if not isinstance(reference, (str, os.PathLike)):
        return str(getattr(reference, "override_handle", f"override://{type(reference).__name__}"))
    path = os.fspath(reference)
    if path.strip() in ("N/A", ""):
        return "N/A"
    return f"crds://{Path(path).name}" if origin == "crds" else os.path.abspath(path)  # noqa: PTH100


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Return the sha256 of a file's content in hexadecimal; quick if it was computed before.

    Safe to call from several threads; the hashing itself releases the interpreter lock.

    Raises
    ------
    ReferenceFileError
        If the file cannot be read.
    """
    try:
        real = Path(path).resolve()
        status = real.stat()
        key = f"{real}|{status.st_size}|{status.st_mtime_ns}"
        known = user_cache.read(cache_file()).get(key)
        if isinstance(known, str):
            return known
        with real.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        message = f"reference file {os.fspath(path)} cannot be read: {error.strerror}"
        raise unreadable(ReferenceFileError, message, error) from error
    _remember(key, digest)
    return digest


def other_digests(path: str | os.PathLike[str]) -> set[str]:
    """Return the digests that a file of this name had before, and has no more.

    Raises
    ------
    ReferenceFileError
        If the file cannot be read.
    """
    now, place = sha256_of(path), f"{Path(path).resolve()}|"
    known = user_cache.read(cache_file()).items()
    return {str(digest) for key, digest in known if key.startswith(place)} - {now}


def cache_file() -> Path:
    """Return where digests are kept."""
    return user_cache.folder() / "sha256.json"


def _remember(key: str, digest: str) -> None:
    """Add a digest to the file, which other threads and processes may be changing too."""
    with _lock:
        digests = user_cache.read(cache_file()) | {key: digest}
        user_cache.write(cache_file(), dict(list(digests.items())[-_MOST:]))
