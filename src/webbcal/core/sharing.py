"""Trees whose parts are shared: how large they are when everything is written out.

YAML refers to what is there already (``*name``). Ten lists of ten references each, one after the other, stand
for ten thousand million values in a kilobyte, and a list that contains itself for as many as one likes: who
walks through such a tree never comes to its end.
"""

from __future__ import annotations

from typing import Any

from webbcal.core.errors import InputError

#: Values that a tree may stand for. (A product of a thousand slits has a few hundred thousand.)
MOST = 10_000_000


def check_size(tree: Any, tagged: type | None = None) -> None:
    """Make sure that a tree can be walked through; each part of it is looked at once.

    Parameters
    ----------
    tree : object
        Dictionaries, lists, and values.
    tagged : type, optional
        Values that are passed on as one, with what is in their `value`. They may refer back to themselves,
        and many may share theirs.

    Raises
    ------
    InputError
        If a part contains itself, or the whole, or what is in a tagged value, stands for more than `MOST`.
    """
    _Sizes(tagged).of(tree, inside=False)


class _Sizes:
    """Sizes of parts, each found once; 0 while it is being found."""

    def __init__(self, tagged: type | None) -> None:
        self._tagged: Any = tagged or ()
        self._containers = (dict, list, self._tagged)
        self._known: dict[tuple[int, bool], int] = {}

    def of(self, value: Any, inside: bool) -> int:
        """Return how many values a part stands for; `inside` of a tagged value, all of it counts."""
        is_tagged = isinstance(value, self._tagged)
        key = id(value), inside or is_tagged
        size = self._known.get(key)
        if size is None:
            self._known[key] = 0
            size = self._known[key] = self._sum(value.value if is_tagged else value, key[1])
        elif not size and not inside and not is_tagged:
            raise InputError("a part of it contains itself")
        return size if inside or not is_tagged else 1

    def _sum(self, value: Any, inside: bool) -> int:
        members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        size = 1 + len(members)
        for member in members:
            if isinstance(member, self._containers):
                size += self.of(member, inside)
        if size > MOST:
            raise InputError(f"it refers to its own parts so often that it stands for over {MOST:,} values")
        return size
