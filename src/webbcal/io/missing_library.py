"""Which library makes the objects of a tag, and what to say if it is not there.

Objects of other libraries are made by the extensions of asdf that are installed: gwcs and asdf-astropy bring
those of the WCS of images; stdatamodels those of jwst's own transforms. webbcal does not bring copies of
them: a tree that nothing here knows is kept as it stands, and only whoever asks for its object needs the
library.
"""

from __future__ import annotations

from collections.abc import Iterable

from webbcal.core.errors import InputError
from webbcal.io.asdf_library import new_file

#: What tags begin with -> the package that brings what asdf makes their objects with.
_PACKAGES = {
    "tag:stsci.edu:jwst_pipeline/": "stdatamodels",
    "tag:stsci.edu:gwcs/": "gwcs",
    "tag:stsci.edu:asdf/": "asdf-astropy",
    "tag:astropy.org:": "asdf-astropy",
}


class MissingLibrary(InputError):
    """No library is installed that makes the object of a tag.

    Parameters
    ----------
    whole : str
        Tag of the value that was asked for.
    tags : iterable of str
        All tags within, its own among them.
    kept : object
        What asdf has in its place: it is written as it was read.
    """

    def __init__(self, whole: str, tags: Iterable[str], kept: object) -> None:
        super().__init__(_reason(whole, tags))
        self.kept = kept


def _reason(whole: str, tags: Iterable[str]) -> str:
    known = new_file().extension_manager.handles_tag
    missing = sorted(tag for tag in set(tags) if not known(tag))
    if not missing:
        return f"asdf can make no object of {whole}: it is not laid out as its library expects"
    packages = " and ".join(sorted({_package(tag) for tag in missing}))
    return (
        f"no object can be made of {whole}: no installed library knows {', '.join(missing)}. Install "
        f"{packages} (the newest) beside webbcal; to open and save the file, it is not needed"
    )


def _package(tag: str) -> str:
    found = (name for start, name in _PACKAGES.items() if tag.startswith(start))
    return next(found, "what wrote it")
