"""YAML as text, for the trees of ASDF files: plain values, small arrays, tagged values, and shared parts.

A product of a thousand slits has a tree of a hundred thousand values: this writes them at a microsecond each
(PyYAML takes ten). What is met more than once (the same object, not an equal one) is written once, with an
anchor, and referred to after that.
"""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import quote

import numpy as np


class NotPlain(Exception):
    """The tree holds something that this does not write (or read)."""


class HasTag(Protocol):
    """A value with a tag."""

    tag: str
    value: Any


#: Text that needs no quotes, in block and flow context, and that no reader takes for something else.
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./+()-]*(?: [A-Za-z0-9_./+()-]+)*")
_RESERVED = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
_LONGEST_KEY = 500
#: Tags that begin so are written with the handle ``!``, which the files declare.
_HANDLE = "tag:stsci.edu:asdf/"
_URI = "-;/?:@&=+$,_.!~*'()[]"
_SHORT_TAG = re.compile(r"[A-Za-z0-9_./-]+")


@lru_cache(4096)
def _text(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.lower() not in _RESERVED:
        return value
    if value.isascii() or max(value) <= "\uffff":
        return json.dumps(value).replace("\x7f", "\\x7f")
    return '"' + "".join(json.dumps(c)[1:-1] if c <= "\uffff" else f"\\U{ord(c):08x}" for c in value) + '"'


def _float(value: float) -> str:
    if not math.isfinite(value):
        return ".nan" if value != value else ".inf" if value > 0 else "-.inf"
    text = repr(value)
    # YAML 1.1 takes a number for a number only with its point.
    return text.replace("e", ".0e") if "e" in text and "." not in text else text


_SCALARS: dict[type, Callable[[Any], str]] = {
    str: _text,
    bool: lambda value: "true" if value else "false",
    int: repr,
    float: _float,
    type(None): lambda value: "null",
    datetime.datetime: lambda value: value.isoformat(" "),
    datetime.date: lambda value: value.isoformat(),
}


@lru_cache(1024)
def _tag(tag: str) -> str:
    short = tag.removeprefix(_HANDLE)
    return f"!{short}" if short != tag and _SHORT_TAG.fullmatch(short) else f"!<{quote(tag, safe=_URI)}>"


def dump(tree: Any, arrays: Callable[[np.ndarray], HasTag]) -> str:
    """Return a tree as YAML.

    Parameters
    ----------
    tree : dict or list
        Dictionaries, lists, scalars, arrays, and values with a `tag` and a `value`.
    arrays : function
        Returns what stands for an array, or raises.

    Raises
    ------
    NotPlain
        If there is anything else in it.
    """
    writer = _Writer(arrays)
    writer.count(tree)
    writer.block(tree, "\n")
    return "".join(writer.out).removeprefix("\n") + "\n"


class _Writer:
    def __init__(self, arrays: Callable[[np.ndarray], HasTag]) -> None:
        self.out: list[str] = []
        self._arrays = arrays
        self._seen: set[int] = set()
        self._shared: set[int] = set()
        self._anchors: dict[int, str] = {}

    def count(self, value: Any) -> None:
        """Find the containers that are met more than once."""
        kind = type(value)
        if kind in _SCALARS:
            return
        inner = value.value if hasattr(value, "tag") else value
        if not isinstance(inner, (dict, list, tuple)):
            return
        if id(value) in self._seen:
            self._shared.add(id(value))
            return
        self._seen.add(id(value))
        for member in inner.values() if isinstance(inner, dict) else inner:
            if type(member) not in _SCALARS:
                self.count(member)

    def block(self, value: Any, line: str) -> None:
        """Write a value that follows a key or dash; `line` begins the lines of what is in it."""
        scalar = _SCALARS.get(type(value))
        if scalar is not None:
            self.out.append(f" {scalar(value)}")
        elif isinstance(value, dict):
            if self._is_new(value):
                self._mapping(value, line)
        elif isinstance(value, (list, tuple)):
            if self._is_new(value):
                self._sequence(value, line)
        elif isinstance(value, np.generic):
            self.block(value.item(), line)
        elif isinstance(value, np.ndarray):
            made = self._arrays(value)
            self.out.append(f" {_tag(made.tag)} {self._flow(made.value)}")
        elif hasattr(value, "tag"):
            if self._is_new(value):
                self._tagged(value, line)
        else:
            raise NotPlain(type(value).__name__)

    def _is_new(self, value: Any) -> bool:
        """Write a reference to what is written already, or the anchor of what is to be referred to."""
        if id(value) not in self._shared:
            return True
        known = self._anchors.get(id(value))
        if known is not None:
            self.out.append(f" *{known}")
            return False
        self._anchors[id(value)] = anchor = f"id{len(self._anchors) + 1:03d}"
        self.out.append(f" &{anchor}")
        return True

    def _tagged(self, value: HasTag, line: str) -> None:
        self.out.append(f" {_tag(value.tag)}")
        inner = value.value
        if isinstance(inner, dict):
            flow = "source" in inner and "datatype" in inner  # an array in a line
            self.out.append(f" {self._flow(inner)}") if flow else self._mapping(inner, line)
        elif isinstance(inner, (list, tuple)):
            self._sequence(inner, line)
        else:
            self.out.append(f" {_text(str(inner))}")

    def _mapping(self, value: dict[Any, Any], line: str) -> None:
        if not value:
            self.out.append(" {}")
        inner = f"{line}  "
        for key, member in value.items():
            text = _text(str(key))
            if len(text) > _LONGEST_KEY:
                raise NotPlain("a key of many characters")
            self.out.append(f"{line}{text}:")
            self.block(member, inner)

    def _sequence(self, value: list[Any] | tuple[Any, ...], line: str) -> None:
        if all(type(item) in _SCALARS for item in value):
            self.out.append(f" {self._flow(value)}")
            return
        inner = f"{line}  "
        for item in value:
            self.out.append(f"{line}-")
            self.block(item, inner)

    def _flow(self, value: Any) -> str:
        """Return a value in a line; nothing in it is shared."""
        scalar = _SCALARS.get(type(value))
        if scalar is not None:
            return scalar(value)
        if isinstance(value, dict):
            return f"{{{', '.join(f'{_text(str(k))}: {self._flow(v)}' for k, v in value.items())}}}"
        if isinstance(value, (list, tuple)):
            return f"[{', '.join([self._flow(item) for item in value])}]"
        raise NotPlain(type(value).__name__)
