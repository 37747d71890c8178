"""Fetching references into the CRDS cache, which many processes may share.

crds puts a file in its place and only then compares it with its checksum: one that is damaged would stay and
be taken for good, as would one whose process was killed in between. Where another process fetches the same
file, crds waits five seconds for it. So a file is fetched into a folder of its own, verified there (by crds),
and then moved; who finds that somebody else fetches into a folder of the cache waits until that is done.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from webbcal.core.errors import OutputError
from webbcal.core.leftovers import ENDING, mark, sweep
from webbcal.core.locks import held

log = logging.getLogger(__name__)


def download(crds: Any, context: str, paths: Iterable[str], parameters: Mapping[str, Any]) -> dict[str, str]:
    """Fetch files from the CRDS server; they appear in the cache whole and verified, or not at all.

    Parameters
    ----------
    crds : module
    context : str
        Name of the context that they belong to.
    paths : iterable of str
        Where in the cache they are to be.
    parameters : mapping
        Metadata of the exposure, which may say where in the cache.

    Returns
    -------
    dict
        Path -> why it could not be had, of those that could not.
    """
    cacher = crds.client.api.FileCacher(context, parameters=dict(parameters))
    failed: dict[str, str] = {}
    for path in map(Path, dict.fromkeys(paths)):
        try:
            _fetch(cacher, path)
        except (crds.exceptions.CrdsError, OSError, OutputError) as error:
            failed[str(path)] = str(error)
    return failed


@contextmanager
def fetching(folder: Path) -> Iterator[None]:
    """Be the only process that fetches into a folder of the cache.

    Raises
    ------
    OSError, OutputError
        If it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder / ".webbcal.lock"):
        yield


def _fetch(cacher: Any, path: Path) -> None:
    with fetching(path.parent):
        if path.is_file():  # by now, somebody else has fetched it
            return
        sweep(path.parent)
        place = path.parent / f".{path.name}.{mark()}{ENDING}"
        place.mkdir()
        try:
            log.info("fetching %s", path.name)
            cacher.download_files([path.name], {path.name: str(place / path.name)})
            (place / path.name).replace(path)
        finally:
            shutil.rmtree(place, ignore_errors=True)
