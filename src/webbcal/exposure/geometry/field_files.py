"""Files that go with a grism exposure: the direct image of its field, the catalogue and the segmentation map.

The exposure's metadata name them, as in jwst, without a folder; pipelines know the whole paths, and hand them
to the steps beside the exposure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from webbcal.core.errors import InputError, MissingInputError


class _Kind(NamedTuple):
    """A kind of file: in words, in ``meta``, its keyword, and the role of the member in associations."""

    what: str
    name: str
    keyword: str
    role: str


_KINDS = {
    "catalog": _Kind("source catalogue", "source_catalog", "SCATFILE", "sourcecat"),
    "segmentation": _Kind("segmentation map", "segmentation_map", "SEGMFILE", "segmap"),
    "direct_image": _Kind("direct image", "direct_image", "DIRIMAGE", "direct_image"),
}


class ProductLike(Protocol):
    """A product of an association."""

    def members_of(self, *exptypes: str) -> Sequence[Any]:
        """Return its members with these roles."""


@dataclass(frozen=True)
class FieldFiles:
    """Where the files of a field are; a model may stand for a file, None for one that is not known.

    Attributes
    ----------
    catalog, segmentation, direct_image : Path, DataModel or None
    """

    catalog: Any = None
    segmentation: Any = None
    direct_image: Any = None

    @classmethod
    def of_model(cls, model: Any, folder: Path | None = None) -> FieldFiles:
        """Return the files that an exposure names: beside it, or in the working folder.

        Parameters
        ----------
        model : DataModel
        folder : Path, optional
            Where the exposure is; by default the folder of its file.
        """
        places = [Path(model.contents.name).parent if folder is None else folder, Path()]
        found = {}
        for field, kind in _KINDS.items():
            name = getattr(model.meta, kind.name)
            paths = [place / name for place in places] if name else [None]
            found[field] = next((path for path in paths if path is not None and path.is_file()), paths[0])
        return cls(**found)

    @classmethod
    def of_product(cls, product: ProductLike, resolve: Callable[[Any], Path]) -> FieldFiles:
        """Return the files that are members of a product of an association.

        Parameters
        ----------
        product : associations.Product
        resolve : callable
            From a member to its path.
        """
        members = {field: product.members_of(kind.role)[:1] for field, kind in _KINDS.items()}
        return cls(**{field: m.model or resolve(m) for field, found in members.items() for m in found})

    def needed(self, field: str, exposure: str) -> Any:
        """Return one of the files.

        Parameters
        ----------
        field : str
            ``catalog``, ``segmentation`` or ``direct_image``.
        exposure : str
            For messages.

        Raises
        ------
        InputError
            If it is not known, or (a `MissingInputError`) if it is not there.
        """
        kind, file = _KINDS[field], getattr(self, field)
        if file is None:
            raise InputError(
                f"{exposure}: it names no {kind.what} ({kind.keyword}); give an association with a member of "
                f"type {kind.role}, or set meta.{kind.name}"
            )
        if isinstance(file, Path) and not file.is_file():
            raise MissingInputError(
                f"{exposure}: its {kind.what} {file} does not exist; put it there, or correct {kind.keyword} "
                "or the association"
            )
        return file

    def name_in(self, meta: Any) -> None:
        """Write the names of the files into the metadata of an exposure, as jwst does: without folders."""
        for field, kind in _KINDS.items():
            file = getattr(self, field)
            if file is not None:
                setattr(meta, kind.name, file.name if isinstance(file, Path) else file.meta.filename)
