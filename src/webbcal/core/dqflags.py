"""Data-quality bits of JWST products, and names from values.

The bits are those of the JWST data-quality table (one set for pixels, a subset for groups).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_PIXEL_NAMES = (
    "DO_NOT_USE", "SATURATED", "JUMP_DET", "DROPOUT", "OUTLIER", "PERSISTENCE", "AD_FLOOR", "CHARGELOSS",
    "RESERVED", "NON_SCIENCE", "DEAD", "HOT", "WARM", "LOW_QE", "RC", "TELEGRAPH", "NONLINEAR",
    "BAD_REF_PIXEL", "NO_FLAT_FIELD", "NO_GAIN_VALUE", "NO_LIN_CORR", "NO_SAT_CHECK", "UNRELIABLE_BIAS",
    "UNRELIABLE_DARK", "UNRELIABLE_SLOPE", "UNRELIABLE_FLAT", "OPEN", "ADJ_OPEN", "FLUX_ESTIMATED",
    "MSA_FAILED_OPEN", "OTHER_BAD_PIXEL", "REFERENCE_PIXEL",
)  # fmt: skip
_GROUP_NAMES = ("DO_NOT_USE", "SATURATED", "JUMP_DET", "DROPOUT", "PERSISTENCE", "AD_FLOOR", "CHARGELOSS")

#: Flags of the two-dimensional and product DQ arrays, by name.
pixel: dict[str, int] = {"GOOD": 0} | {name: 1 << bit for bit, name in enumerate(_PIXEL_NAMES)}

#: Flags of GROUPDQ (one byte a sample), by name.
group: dict[str, int] = {"GOOD": 0} | {name: pixel[name] for name in _GROUP_NAMES}


def interpret_bit_flags(
    bit_flags: int | str | list[int | str] | None,
    flip_bits: bool | None = None,
    mnemonic_map: Mapping[str, int] | None = None,
) -> int | None:
    """Turn a user's description of DQ bits into one integer.

    Parameters
    ----------
    bit_flags : int, str, list or None
        An integer is taken as it is. A string may be ``"None"``, an integer, or names or integers separated
        by ``,``, ``+`` or ``|``, optionally preceded by ``~`` (with or without parentheses) to invert.
        A list is the OR of its members.
    flip_bits : bool, optional
        Invert the result. Not allowed together with ``~``.
    mnemonic_map : mapping, optional
        Names to values; the pixel flags by default.

    Returns
    -------
    int or None
        The bit mask; None for None.

    Raises
    ------
    ValueError
        For an unknown name or an ill-formed string.
    """
    table = pixel if mnemonic_map is None else mnemonic_map
    if bit_flags is None:
        return None
    invert = bool(flip_bits)
    if isinstance(bit_flags, str):
        text = bit_flags.strip()
        if text.upper() in ("", "NONE", "INDEF"):
            return None
        if text.startswith("~"):
            if flip_bits is not None:
                raise ValueError("use either '~' or flip_bits, not both")
            invert, text = True, text[1:].strip()
        text = text.removeprefix("(").removesuffix(")")
        parts: list[int | str] = [p for p in re.split(r"[,+|]", text) if p.strip()]
    elif isinstance(bit_flags, int):
        parts = [bit_flags]
    else:
        parts = list(bit_flags)
    value = 0
    for part in parts:
        value |= _flag_value(part, table)
    return ~value if invert else value


def _flag_value(part: int | str, table: Mapping[str, int]) -> int:
    if isinstance(part, int):
        return part
    name = part.strip()
    if re.fullmatch(r"[+-]?\d+", name):
        return int(name)
    name = name.upper()
    if name not in table:
        raise ValueError(f"unknown DQ flag {part!r}; known: {', '.join(table)}")
    return int(table[name])


def dqflags_to_mnemonics(dqflags: int, mnemonic_map: Mapping[str, int] | None = None) -> set[str]:
    """Return the names of the bits that are set in `dqflags` (empty for 0)."""
    table = pixel if mnemonic_map is None else mnemonic_map
    return {name for name, value in table.items() if value and int(dqflags) & value}
