"""Files damaged at random: headers, tables, trees, texts. The same seed gives the same damage."""

from __future__ import annotations

import gzip
import random
import re

BLOCK = 2880

#: What stands where a value should.
_VALUES = [
    "T", "F", "", "0", "-1", "1", "2", "8", "17", "-32", "999", "1000000000000",
    "99999999999999999999999999", "1.5", "NaN",
    "-inf", "1e400", "(1, 2)", "'abc'", "''", "'it''s", "'\u00e9\u00f8'",
    "abc", "1 2 3", "'" + "x" * 60 + "&'", "0x10", "1_0",
    "'!!python/object/apply:os.system'", "-2147483648", "T / x", "'\t'",
]  # fmt: skip
_FORMS = [
    "'5X'",
    "'PE(3)'",
    "'QJ()'",
    "'0A'",
    "'A0'",
    "'E'",
    "'99999999999E'",
    "'1Z'",
    "'3L'",
    "'2C'",
    "7",
    "'-1J'",
    "'1PA(9)'",
]
_TAGS = [
    "!!python/object/apply:os.system ['touch executed']",
    "!!python/name:os.system",
    "!!python/object/new:subprocess.Popen [['touch', 'executed']]",
    "!<tag:stsci.edu:asdf/core/ndarray-1.1.0> {source: 7, datatype: float64, shape: [1000000000000]}",
    "!<tag:stsci.edu:asdf/core/ndarray-1.1.0> {source: 'fits:SCI,1'}",
    "!<tag:stsci.edu:gwcs/wcs-1.2.0> {name: x}",
    "!<tag:nobody.knows:this/thing-1.0.0> {a: 1}",
    "!core/complex-1.0.0 1+2j",
]
_TOKENS = [
    "null", "~", "[]", "{}", "true", "-1", "0", "1e400", ".nan", ".inf", "'text'", "[[[]]]", "1000000000000",
    "2020-13-45",
    '"\\ud800"', "*a", "&a", "\u00e9", "\x00", "<<: *x",
    "- - -", "{a: {b: {c: d}}}", "NaN", "\"\\u0000\"", "007", "[1, [2, [3]]]",
]  # fmt: skip


def mutated(rng: random.Random, kind: str, content: bytes) -> bytes:
    """Return a file with one to three damages."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if rng.random() < 0.08:
            content = _bytes(rng, content)
        elif kind == "fits":
            content = _fits(rng, content)
        else:
            content = _text(rng, content)
    return gzip.compress(content, 1) if kind == "fits" and rng.random() < 0.05 else content


def _bytes(rng: random.Random, content: bytes) -> bytes:
    """Flip, cut, or add bytes anywhere."""
    data = bytearray(content)
    how = rng.randrange(4)
    if how == 0 and data:
        for _ in range(rng.randint(1, 20)):
            data[rng.randrange(len(data))] = rng.randrange(256)
    elif how == 1:
        del data[rng.randrange(len(data) + 1) :]
    elif how == 2 and data:
        start = rng.randrange(len(data))
        del data[start : start + rng.randint(1, 5000)]
    else:
        start = rng.randrange(len(data) + 1)
        data[start:start] = rng.randbytes(rng.randint(1, 100))
    return bytes(data)


# FITS


def _headers(content: bytes) -> list[tuple[int, int]]:
    """Return (start, cards) of all headers, found by their first card and END."""
    found = []
    for match in re.finditer(rb"SIMPLE  =|XTENSION=", content):
        start = match.start()
        if start % BLOCK:
            continue
        cards = 0
        while start + 80 * cards < len(content) and not content[start + 80 * cards :].startswith(b"END     "):
            cards += 1
        found.append((start, cards))
    return found


def _fits(rng: random.Random, content: bytes) -> bytes:
    headers = _headers(content)
    if not headers:
        return _bytes(rng, content)
    how = rng.randrange(10)
    if how == 0:
        return _reordered(rng, content, headers)
    if how <= 2 and b"#ASDF" in content:
        return _extension(rng, content)
    start, cards = rng.choice(headers)
    if cards < 2:
        return content
    place = start + 80 * rng.randrange(cards)
    return content[:place] + _card(rng, content[place : place + 80]) + content[place + 80 :]


def _card(rng: random.Random, card: bytes) -> bytes:
    """Return another card in the place of one, of the same length."""
    how = rng.randrange(8)
    keyword = card[:8]
    if how == 0:
        return b" " * 80
    if how == 1:
        return rng.randbytes(80)
    if how == 2:
        position = rng.randrange(80)
        return card[:position] + rng.randbytes(1) + card[position + 1 :]
    if how == 3:
        names = (
            b"EXTNAME",
            b"EXTVER",
            b"TFORM1",
            b"TDIM1",
            b"TNULL1",
            b"TSCAL2",
            b"BLANK",
            b"DATAMODL",
            b"SCI",
            b"END",
        )
        keyword = rng.choice(names).ljust(8)
    if how == 4:
        return (b"HIERARCH " + bytes(rng.choices(b"ABC xyz=.'", k=rng.randint(1, 60))) + b" = 1").ljust(80)[
            :80
        ]
    form = keyword.startswith(b"TFORM") and rng.random() < 0.6
    value = rng.choice(_FORMS if form else _VALUES)
    return (keyword + b"= " + value.encode("latin-1").rjust(rng.choice((1, 20)))).ljust(80)[:80]


def _reordered(rng: random.Random, content: bytes, headers: list[tuple[int, int]]) -> bytes:
    """Shuffle, repeat or leave out HDUs, but for the first one."""
    starts = [start for start, _ in headers]
    parts = [content[a:b] for a, b in zip(starts, [*starts[1:], len(content)], strict=True)]
    rest = parts[1:]
    rng.shuffle(rest)
    if rest and rng.random() < 0.5:
        rest.append(rng.choice(rest))
    if rest and rng.random() < 0.3:
        rest.pop(0)
    return parts[0] + b"".join(rest)


def _extension(rng: random.Random, content: bytes) -> bytes:
    """Damage the tree in the ASDF extension, keeping its length."""
    start = content.rfind(b"#ASDF")
    stop = content.find(b"...", start)
    stop = len(content) if stop < 0 else stop
    tree = _text(rng, content[start:stop])
    return content[:start] + tree[: stop - start].ljust(stop - start) + content[stop:]


# Text


def _text(rng: random.Random, content: bytes) -> bytes:
    lines = content.split(b"\n")
    number = rng.randrange(len(lines))
    how = rng.randrange(9)
    if how == 0:
        del lines[number]
    elif how == 1:
        lines.insert(number, rng.choice(lines))
    elif how == 2:
        lines[number] = rng.randbytes(rng.randint(1, 30))
    elif how == 3:
        other = rng.randrange(len(lines))
        lines[number], lines[other] = lines[other], lines[number]
    elif how == 4 and b":" in lines[number]:
        lines[number] = lines[number].partition(b":")[0] + b": " + rng.choice(_TAGS).encode()
    elif how == 5:
        return content[: rng.randrange(len(content) + 1)]
    elif how == 6:
        lines[number] = b" " * rng.randrange(6) + lines[number]
    elif how == 7:
        depth = rng.choice((3, 50, 3000))
        lines[number] = (
            lines[number].partition(b":")[0] + b": " + b"[" * depth + b"]" * rng.choice((0, depth))
        )
    else:
        lines[number] = _token(rng, lines[number])
    return b"\n".join(lines)


def _token(rng: random.Random, line: bytes) -> bytes:
    """Replace a word, a number, or what follows a colon."""
    words = list(re.finditer(rb"[^\s,:=\[\]{}]+", line))
    value = rng.choice(_TOKENS).encode("utf-8", "surrogatepass")
    if not words:
        return line + value
    word = rng.choice(words)
    return line[: word.start()] + value + line[word.end() :]
