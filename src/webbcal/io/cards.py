"""FITS headers: cards to values and back (FITS standard 4.0, section 4).

`astropy.io.fits` does this too, and more, but importing it costs 0.3 s, a good part of a stage-1 run. It
still reads what is rare in JWST files (compressed files, `HDUList` objects, odd tables).
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, BinaryIO, NamedTuple

from webbcal.core.errors import InputError

BLOCK = 2880
COMMENTARY = ("COMMENT", "HISTORY", "")
_STRING = re.compile(r"\s*'((?:[^']|'')*)'\s*(?:/\s?(.*))?")
_CUT_STRING = re.compile(r"\s*'(.*)'\s*(?:/\s?(.*))?")
_SIMPLE = re.compile("[A-Z0-9_-]{1,8}")
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_REAL = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)([ED][+-]?\d+)?|NAN|INF(INITY)?)", re.ASCII)
_COMPLEX = re.compile(r"\(\s*([^,()]+),\s*([^,()]+)\)")
_LONGEST = 67  # characters of a string on one card, beside the mark that it continues
_WIDTH = 80
#: Comment of a card without a value whose value a card cannot hold; `is_elsewhere` finds it again.
ELSEWHERE = "see ASDF"
#: Keywords that say how an HDU is stored; they are written anew with the data. (Checksums would be stale.)
STRUCTURAL = re.compile(
    "NAXIS[0-9]{0,3}|BITPIX|XTENSION|PCOUNT|GCOUNT|EXTEND|BSCALE|BZERO|BLANK|EXTNAME|EXTVER"
    "|GROUPS|PYTPE[0-9]|PSCAL[0-9]|PZERO[0-9]|SIMPLE|TFIELDS|THEAP|CHECKSUM|DATASUM"
    "|(TBCOL|TDIM|TFORM|TTYPE|TUNIT|TSCAL|TZERO|TNULL|TDISP)[0-9]{1,3}"
)


class Card(NamedTuple):
    """A keyword, its value (text, bool, int, float, complex, or None for none) and its comment."""

    keyword: str
    value: Any
    comment: str = ""

    @property
    def is_elsewhere(self) -> bool:
        """Whether the value, which no card can hold, is to be found in the ASDF extension."""
        return self.value is None and self.comment == ELSEWHERE

    @property
    def may_be_altered(self) -> bool:
        """Whether text on it, a comment or history, may stand for text that is not ASCII."""
        text = self.value if self.keyword in COMMENTARY else self.comment
        return isinstance(text, str) and "?" in text


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
        text = block.decode("latin-1")
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
            comment = " ".join(filter(None, (unended.comment, raw.comment)))
            raw = Card(unended.keyword, _Text(unended.value[:-1] + raw.value), comment)
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
    if not line.isascii():
        line = _decoded(line)
    keyword, field = line[:8].rstrip(), line[8:]
    if keyword == "HIERARCH" and "=" in field:
        keyword, _, field = field.partition("=")
        raw = Card(keyword.strip(), *_value(field))
    elif not (keyword.isascii() and (keyword.isprintable())):
        raw = Card("COMMENT", line.rstrip())  # no card of FITS, and still not to be lost
    elif field.startswith("= ") or keyword == "CONTINUE":
        raw = Card(keyword, *_value(field[2:]))
    else:
        raw = Card(keyword, field.rstrip())
    return raw, _finished(raw)


def _decoded(line: str) -> str:
    """Return a line that is not ASCII, as FITS wants it, as the text that was meant."""
    try:
        return line.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return line


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
    if _INTEGER.fullmatch(text):
        return int(text)
    if (real := _real(text)) is not None:
        return real
    match = _COMPLEX.fullmatch(text)
    parts = (_real(match[1].strip()), _real(match[2].strip())) if match else (None, None)
    return text if parts[0] is None or parts[1] is None else complex(parts[0], parts[1])


def _real(text: str) -> float | None:
    text = text.upper()
    return float(text.replace("D", "E")) if _REAL.fullmatch(text) else None


def header_bytes(cards: Iterable[Card]) -> bytes:
    """Return a header as it stands in a file; of what FITS cannot hold, a card says where it is."""
    return padded(header_text(cards))


def header_text(cards: Iterable[Card]) -> str:
    """Return cards as they stand in a header, 80 characters each."""
    lines = [_short(card) or "".join([line.ljust(_WIDTH) for line in _lines(card)]) for card in cards]
    return "".join(lines)


def _short(card: Card) -> str | None:
    """Return the line of a short card without comment, as nearly all are; None if it is another one."""
    keyword, value, comment = card
    if comment or not _SIMPLE.fullmatch(keyword) or keyword in COMMENTARY:
        return None
    if type(value) is str:
        plain = len(value) <= _LONGEST and "'" not in value and value.isascii() and value.isprintable()
        return f"{keyword:8}= '{value:8}'".ljust(_WIDTH) if plain else None
    if type(value) is int and -(10**20) < value < 10**20:
        return f"{keyword:8}= {value:>20}".ljust(_WIDTH)
    return None


def padded(text: str) -> bytes:
    """Return the text of all cards of a header as it stands in a file, up to a whole block."""
    text += "END"
    return text.ljust(len(text) + -len(text) % BLOCK).encode("ascii")


def fits_on_cards(card: Card) -> bool:
    """Tell whether the value of a keyword, and its comment, can stand in a header as they are."""
    value, keyword = card.value, card.keyword
    if card.comment and not _is_ascii(card.comment):
        return False
    if keyword.upper() in COMMENTARY:
        return _is_ascii(str(value))
    if value is None or isinstance(value, (bool, int)):
        return True
    if isinstance(value, str):
        return _is_ascii(value)
    return isinstance(value, (float, complex)) and math.isfinite(abs(value))


def _is_ascii(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _lines(card: Card) -> Iterator[str]:
    keyword, value, comment = card.keyword.upper(), card.value, ascii_text(card.comment or "")
    if keyword in COMMENTARY:
        yield from (f"{keyword:8}{text}" for text in history_lines("" if value is None else str(value)))
        return
    if not fits_on_cards(Card(card.keyword, value)):
        value, comment = None, ELSEWHERE
    if _SIMPLE.fullmatch(keyword):
        start, width = f"{keyword:8}= ", 20
    else:
        start, width = f"HIERARCH {_long_name(card.keyword)} = ", 0
    if isinstance(value, str):
        yield from _text_lines(start, value, comment)
        return
    shown = _shown(value)
    begins = (start, start.replace(" = ", "= "), start.replace(" = ", "="))  # long names leave out blanks
    begin = next((text for text in begins if len(text) + len(shown) <= _WIDTH), None)
    if begin is None:
        raise InputError(
            f"no card can hold a keyword of so many characters and its value: {keyword} = {shown}"
        )
    line = f"{begin}{shown.rjust(min(width, _WIDTH - len(begin)))}"
    yield f"{line} / {comment}"[:_WIDTH] if comment else line


def history_lines(text: str) -> list[str]:
    """Return a text as it stands on HISTORY (or COMMENT) cards, one after the other."""
    shown = ascii_text(text)
    return [shown[start : start + 72].rstrip() for start in range(0, max(len(shown), 1), 72)]


def _long_name(keyword: str) -> str:
    """Return a name that does not follow the rules as one that can stand on a HIERARCH card."""
    return ascii_text(keyword).replace("=", "?").replace("'", "?")


def _text_lines(start: str, text: str, comment: str) -> Iterator[str]:
    """Yield the lines of a text: as many as it takes, and its comment behind it or on lines of its own."""
    if len(start) > _WIDTH - 12:
        start = start.replace(" = ", "= ")
    rows = [(piece, "") for piece in _pieces(text, _LONGEST if len(start) == 10 else _WIDTH - 3 - len(start))]
    taken = len(start) + max(8, len(rows[0][0])) if len(rows) == 1 else 10 + len(rows[-1][0])
    if taken + 5 + len(comment) <= _WIDTH:
        rows[-1] = rows[-1][0], comment
    elif comment:
        last = rows.pop()[0]
        rows += [(last[:-1], ""), (last[-1], "")] if len(last) > _LONGEST else [(last, "")]
        rows += [("", part) for part in textwrap.wrap(comment, _WIDTH - 16)]
    for number, (piece, note) in enumerate(rows):
        more = "&" if number < len(rows) - 1 else ""
        line = f"{'CONTINUE  ' if number else start}'{(piece + more).ljust(0 if number else 8)}'"
        padded_line = line.ljust(min(30, max(len(line), _WIDTH - 3 - len(note))))
        yield f"{padded_line} / {note}" if note else line


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
    if longest < 2:
        raise InputError("no card can hold a text under a keyword of so many characters")
    pieces = [""]
    for character in text:
        shown = "''" if character == "'" else character
        if len(pieces[-1]) + len(shown) > longest:
            pieces.append("")
            longest = _LONGEST
        pieces[-1] += shown
    return pieces


def ascii_text(text: str) -> str:
    """Return text with what FITS cannot hold as question marks, and white space as blanks."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if " " <= c <= "~" else " " if c.isspace() else "?" for c in text)
