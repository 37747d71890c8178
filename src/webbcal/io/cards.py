"""FITS headers: cards to values and back (FITS standard 4.0, section 4).

`astropy.io.fits` does this too, and more, but importing it costs 0.3 s, a good part of a stage-1 run. It
still reads what is rare in JWST files (compressed files, `HDUList` objects, odd tables).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, BinaryIO, NamedTuple

from webbcal.core.errors import InputError

BLOCK = 2880
_COMMENTARY = ("COMMENT", "HISTORY", "")
_STRING = re.compile(r"\s*'((?:[^']|'')*)'\s*(?:/\s?(.*))?")
_CUT_STRING = re.compile(r"\s*'(.*)'\s*(?:/\s?(.*))?")
_SIMPLE = re.compile("[A-Z0-9_-]{1,8}")
_COMPLEX = re.compile(r"\(\s*([^,()]+),\s*([^,()]+)\)")
_LONGEST = 67  # characters of a string on one card, beside the mark that it continues
#: Keywords that say how an HDU is stored; they are written anew with the data. (Checksums would be stale.)
STRUCTURAL = re.compile(
    "NAXIS[0-9]{0,3}|BITPIX|XTENSION|PCOUNT|GCOUNT|EXTEND|BSCALE|BZERO|BLANK|DATAMAX|DATAMIN|EXTNAME|EXTVER"
    "|EXTLEVEL|GROUPS|PYTPE[0-9]|PSCAL[0-9]|PZERO[0-9]|SIMPLE|TFIELDS|THEAP|CHECKSUM|DATASUM|HISTORY|"
    "|(TBCOL|TDIM|TFORM|TTYPE|TUNIT|TSCAL|TZERO|TNULL|TDISP)[0-9]{1,3}"
)


class Card(NamedTuple):
    """A keyword, its value (text, bool, int, float, complex, or None for none) and its comment."""

    keyword: str
    value: Any
    comment: str = ""


class Header:
    """The cards of a header in order; indexing gives the value of the first card with a keyword."""

    def __init__(self, cards: Iterable[Card]) -> None:
        self.cards = list(cards)
        self._first = {card.keyword: card.value for card in reversed(self.cards)}

    def __getitem__(self, keyword: str) -> Any:
        return self._first[keyword]

    def __contains__(self, keyword: str) -> bool:
        return keyword in self._first

    def get(self, keyword: str, default: Any = None) -> Any:
        """Return the value of a keyword, or `default`."""
        return self._first.get(keyword, default)


def read_header(file: BinaryIO) -> Header:
    """Read the header that begins where the file stands, and leave the file at the data.

    Raises
    ------
    InputError
        If the file ends before the header does.
    """
    lines: list[str] = []
    while True:
        block = file.read(BLOCK)
        if len(block) < BLOCK:
            raise InputError("the header has no END")
        text = block.decode("ascii", "replace")
        for start in range(0, BLOCK, 80):
            line = text[start : start + 80]
            if line.startswith("END") and line.rstrip() == "END":
                return Header(_parse(lines))
            lines.append(line)


class _Text(str):
    """A string as it stands on a card, with its quotes doubled."""


def _parse(lines: list[str]) -> list[Card]:
    cards: list[Card] = []
    unended: Card | None = None  # the last card, if its text goes on
    for line in lines:
        raw, card = _card(line)
        if unended is not None and raw.keyword == "CONTINUE" and isinstance(raw.value, _Text):
            raw = Card(unended.keyword, _Text(unended.value[:-1] + raw.value), unended.comment + raw.comment)
            cards[-1] = _finished(raw)
        else:
            cards.append(card)
        unended = raw if isinstance(raw.value, _Text) and raw.value.endswith("&") else None
    return cards


def _finished(card: Card) -> Card:
    if isinstance(card.value, _Text):
        return Card(card.keyword, card.value.replace("''", "'").rstrip(), card.comment)
    return card


@lru_cache(4096)  # the HDUs of a list of slits repeat most of their cards
def _card(line: str) -> tuple[Card, Card]:
    """Return the card of a line as it stands, and as it is if its text does not go on in the next line."""
    keyword, field = line[:8].rstrip(), line[8:]
    if keyword == "HIERARCH" and "=" in field:
        keyword, _, field = field.partition("=")
        raw = Card(keyword.strip(), *_value(field))
    elif field.startswith("= ") or keyword == "CONTINUE":
        raw = Card(keyword, *_value(field[2:]))
    else:
        raw = Card(keyword, field.rstrip())
    return raw, _finished(raw)


def _value(field: str) -> tuple[Any, str]:
    if "'" in field:
        # The second form is for long strings that were cut between two quotes, as astropy does.
        match = _STRING.fullmatch(field) or _CUT_STRING.fullmatch(field)
        if match:
            return _Text(match[1]), (match[2] or "").rstrip()
    text, _, comment = field.partition("/")
    return _number(text.strip()), comment.strip()


def _number(text: str) -> Any:
    """Return a value that is no string; text that is no value of FITS stays text."""
    if text in ("T", "F", ""):
        return None if text == "" else text == "T"
    for kind, form in ((int, text), (float, text.upper().replace("D", "E"))):
        try:
            return kind(form)
        except ValueError:
            continue
    match = _COMPLEX.fullmatch(text)
    return complex(float(match[1]), float(match[2])) if match else text


def header_bytes(cards: Iterable[Card]) -> bytes:
    """Return a header as it stands in a file; what FITS cannot hold (NaN, infinity) is left out."""
    return padded(header_text(cards))


def header_text(cards: Iterable[Card]) -> str:
    """Return cards as they stand in a header, 80 characters each."""
    return "".join([line.ljust(80) for card in cards for line in _lines(card)])


def padded(text: str) -> bytes:
    """Return the text of all cards of a header as it stands in a file, up to a whole block."""
    text += "END"
    return text.ljust(len(text) + -len(text) % BLOCK).encode("ascii")


def _lines(card: Card) -> Iterator[str]:
    keyword, value, comment = card.keyword.upper(), card.value, ascii_text(card.comment or "")
    if isinstance(value, float) and not math.isfinite(value):
        return
    if keyword in _COMMENTARY:
        text = ascii_text(str(value))
        yield from (f"{keyword:8}{text[start : start + 72]}" for start in range(0, max(len(text), 1), 72))
        return
    simple = _SIMPLE.fullmatch(keyword) is not None
    start = f"{keyword:8}= " if simple else f"HIERARCH {card.keyword} = "
    if not isinstance(value, str):
        shown = f"{start}{_shown(value):>20}"
        yield f"{shown} / {comment}"[:80] if comment else shown
        return
    pieces = _pieces(ascii_text(value), _LONGEST if simple else max(8, 78 - len(start)))
    for number, piece in enumerate(pieces):
        more = "&" if number < len(pieces) - 1 else ""
        line = f"{'CONTINUE  ' if number else start}'{(piece + more).ljust(0 if number else 8)}'"
        yield f"{line:30} / {comment}"[:80] if comment and not more and len(line) < 76 else line[:80]


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, complex):
        return f"({_shown(value.real)}, {_shown(value.imag)})"
    text = repr(value).upper()
    return text.replace("E", ".0E") if "E" in text and "." not in text else text


def _pieces(text: str, longest: int) -> list[str]:
    """Cut text into pieces for one card each, with its quotes doubled."""
    if len(text) <= longest + 1 and "'" not in text:
        return [text]
    pieces = [""]
    for character in text:
        shown = "''" if character == "'" else character
        if len(pieces[-1]) + len(shown) > longest:
            pieces.append("")
        pieces[-1] += shown
    return pieces


def ascii_text(text: str) -> str:
    """Return text with what FITS cannot hold as question marks, and white space as blanks."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if " " <= c <= "~" else " " if c.isspace() else "?" for c in text)
