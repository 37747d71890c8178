"""From the tree of a model to HDUs: which keywords, arrays and tables go where, and the header cards."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from webbcal.datamodels.table import Schema, dtype_of, is_array, is_table
from webbcal.io.cards import Card, header_bytes
from webbcal.io.opening import STRUCTURAL
from webbcal.io.tables import FitsTable

if TYPE_CHECKING:
    from webbcal.datamodels.model import DataModel

Tree = dict[str, Any]


@dataclass
class PlannedHdu:
    """An HDU to be written: its keywords, and its data as an array, a source, or (dtype, shape) streamed."""

    name: str
    version: int
    data: Any = None
    dtype: np.dtype[Any] | None = None
    shape: tuple[int, ...] = ()
    cards: list[Card] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)

    @property
    def is_table(self) -> bool:
        """Whether the HDU is a binary table."""
        return isinstance(self.data, FitsTable) or (self.dtype is not None and self.dtype.names is not None)

    @property
    def nbytes(self) -> int:
        """Length of image data on disk, without padding."""
        return 0 if self.dtype is None else math.prod(self.shape) * self.dtype.itemsize


def plan_hdus(
    model: DataModel, streamed: dict[str, tuple[tuple[int, ...], Any]] | None = None
) -> list[PlannedHdu]:
    """Return the HDUs of a model: first the primary, then streamed arrays, then all others.

    Parameters
    ----------
    model : DataModel
        The model; its arrays in HDUs may be in memory or in another file.
    streamed : dict, optional
        Arrays that come later, by name: shape and type. They take the place of the model's own.
    """
    hdus: dict[tuple[str, int], PlannedHdu] = {("PRIMARY", 1): PlannedHdu("PRIMARY", 1)}
    for name, (shape, dtype) in (streamed or {}).items():
        hdu_name = model.schema["properties"][name]["fits_hdu"]
        hdus[hdu_name, 1] = PlannedHdu(hdu_name, 1, None, np.dtype(dtype), tuple(shape))
    for schema, value, version in _leaves(model.schema, model._tree, None):
        key = (schema.get("fits_hdu", "PRIMARY"), version)
        if is_array(schema):
            if key not in hdus or hdus[key].dtype is None:
                _set_data(hdus.setdefault(key, PlannedHdu(*key)), value, schema)
        else:
            hdus.setdefault(key, PlannedHdu(*key)).cards.append(
                Card(schema["fits_keyword"], plain_scalar(value))
            )
    for name, extra in model._tree.get("extra_fits", {}).items():
        _plan_extra(hdus, name, extra)
    return list(hdus.values())


def _leaves(schema: Schema, tree: Any, number: int | None) -> Iterator[tuple[Schema, Any, int]]:
    """Yield (schema, value, HDU version) of all values that have a place in a FITS file."""
    if tree is None:
        return
    if is_array(schema):
        if "fits_hdu" in schema and len(getattr(tree, "shape", (1,))):
            yield schema, tree, (number or 0) + 1
    elif "fits_keyword" in schema:
        if isinstance(tree, (str, int, float, np.generic)):
            yield schema, tree, (number or 0) + 1
    elif isinstance(tree, dict):
        members = schema.get("properties", {})
        for name, member in members.items():
            if name in tree:
                yield from _leaves(member, tree[name], number)
    elif isinstance(tree, list) and "items" in schema:
        for position, item in enumerate(tree):
            yield from _leaves(schema["items"], item, position)


def plain_scalar(value: Any) -> Any:
    """Return a numpy scalar as plain Python."""
    return value.item() if isinstance(value, np.generic) else value


def _set_data(hdu: PlannedHdu, value: Any, schema: Schema) -> None:
    hdu.data, hdu.shape, hdu.dtype = value, tuple(value.shape), value.dtype
    if is_table(schema):
        hdu.units = {c["name"]: c["unit"] for c in schema["datatype"] if "unit" in c}
    elif "datatype" in schema:
        hdu.dtype = dtype_of(schema["datatype"])


def _plan_extra(hdus: dict[tuple[str, int], PlannedHdu], key: str, extra: Tree) -> None:
    """Plan an unknown HDU, or add unknown keywords to a known one."""
    name, _, version = key.rpartition(",")
    place = (name, int(version)) if name and version.isdigit() else (key, 1)
    hdu = hdus.setdefault(place, PlannedHdu(*place))
    data = extra.get("data")
    if data is not None and hdu.dtype is None:
        hdu.data, hdu.shape, hdu.dtype = data, tuple(data.shape), data.dtype
    known = {card.keyword.upper() for card in hdu.cards}
    for keyword, value, comment in extra.get("header", []):
        if not STRUCTURAL.fullmatch(keyword) and (keyword not in known or keyword == "COMMENT"):
            hdu.cards.append(Card(keyword, value, comment or ""))


#: BITPIX and BZERO by native type (unsigned integers as signed ones with an offset).
_STORED = {
    "u1": (8, 0),
    "i1": (8, -128),
    "i2": (16, 0),
    "u2": (16, 1 << 15),
    "i4": (32, 0),
    "u4": (32, 1 << 31),
}
_STORED |= {"i8": (64, 0), "u8": (64, 1 << 63), "f4": (-32, 0), "f8": (-64, 0)}


def stored_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the native type that stands for `dtype` in a FITS image."""
    if dtype.kind == "b":
        return np.dtype("u1")
    if dtype.kind == "f" and dtype.itemsize == 2:
        return np.dtype("f4")
    if dtype.str[1:] not in _STORED:
        raise ValueError(f"an image cannot hold values of type {dtype}")
    return dtype.newbyteorder("=")


def stored_code(dtype: np.dtype[Any]) -> tuple[int, int]:
    """Return BITPIX and BZERO of a `stored_dtype`."""
    return _STORED[dtype.str[1:]]


def to_stored(values: np.ndarray) -> np.ndarray:
    """Return a big-endian copy of values of a `stored_dtype`, ready for the file."""
    kind = values.dtype.str[1:]
    stored = values.astype(values.dtype.newbyteorder(">"))
    if kind in ("u2", "u4", "u8", "i1"):
        bits = stored.view(f">u{values.dtype.itemsize}")
        bits ^= bits.dtype.type(1 << (8 * values.dtype.itemsize - 1))
    return stored


def image_cards(hdu: PlannedHdu) -> list[Card]:
    """Return the cards that say how an image (or a header alone) is stored."""
    primary = hdu.name == "PRIMARY"
    kind = None if hdu.dtype is None else stored_dtype(hdu.dtype).str[1:]
    bitpix, bzero = (8, 0) if kind is None else _STORED[kind]
    cards = [
        Card("SIMPLE", True, "FITS standard") if primary else Card("XTENSION", "IMAGE", "image extension")
    ]
    cards += [Card("BITPIX", bitpix, "array data type"), Card("NAXIS", len(hdu.shape), "number of axes")]
    cards += [Card(f"NAXIS{axis}", length) for axis, length in enumerate(reversed(hdu.shape), 1)]
    if primary:
        return [*cards, Card("EXTEND", True)]
    cards += [Card("PCOUNT", 0), Card("GCOUNT", 1)]
    if bzero:
        cards += [Card("BSCALE", 1), Card("BZERO", bzero)]
    return [*cards, *name_cards(hdu)]


def name_cards(hdu: PlannedHdu) -> list[Card]:
    """Return the cards that name an HDU."""
    return [Card("EXTNAME", hdu.name, "extension name"), Card("EXTVER", hdu.version, "extension version")]


def image_header(hdu: PlannedHdu, history: list[Tree]) -> bytes:
    """Return the header of an image HDU, or of the primary HDU, padded to blocks."""
    cards = image_cards(hdu) + hdu.cards
    if hdu.name == "PRIMARY":
        cards += [Card("HISTORY", str(entry["description"])) for entry in history]
    return header_bytes(cards)
