"""``webbcal diff``: two products beside each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from webbcal.core.errors import ParameterError
from webbcal.run.parameters import suggestion

USAGE = """\
usage: webbcal diff A B [--rtol=0] [--atol=0] [...]

Compares two products: what became of the steps, their parameters, reference files, versions, keywords, and
all arrays and tables. Exits with 1 if they differ, with 0 if not.

  --rtol, -r NUMBER           largest relative difference that counts as none
  --atol, -a NUMBER           largest absolute difference that counts as none (added to the relative one)
  --only PART,...             compare only: steps, parameters, references, versions, keywords, pixels
  --ignore-keywords, -k NAME,...   keywords to leave out (* and ? stand for anything)
  --ignore-hdus, -u NAME,...       HDUs to leave out
  --numdiffs, -n NUMBER       how many differing values of an array to list (5)
  --quiet, -q                 print nothing"""

_SHORT = {
    "-r": "--rtol",
    "-a": "--atol",
    "-k": "--ignore-keywords",
    "-u": "--ignore-hdus",
    "-n": "--numdiffs",
}
_SHORT |= {"-q": "--quiet", "-h": "--help"}


def main(words: Sequence[str]) -> int:
    """Compare two products."""
    files, options = _parsed(words)
    if "help" in options or not files:
        print(USAGE)
        return 0 if "help" in options else 2
    if len(files) != 2:
        raise ParameterError(f"two products are compared, {len(files)} are given")
    from webbcal.report.comparison import products
    from webbcal.report.comparison import words as wording

    compared = products.compare_products(Path(files[0]), Path(files[1]), _settings(options))
    if "quiet" not in options:
        print("\n".join(wording.words(compared)))
    return 1 if compared else 0


def _parsed(words: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Return the files, and option -> value."""
    files: list[str] = []
    options: dict[str, Any] = {}
    left = list(words)
    while left:
        word = left.pop(0)
        name, equals, value = word.partition("=")
        name = _SHORT.get(name, name)
        if not word.startswith("-") or word == "-":
            files.append(word)
        elif name in ("--quiet", "--help"):
            options[name[2:]] = True
        elif name[2:] in _READ:
            if not equals and not left:
                raise ParameterError(f"option {name} needs a value: {name}=VALUE")
            options[name[2:]] = _value(name, value if equals else left.pop(0))
        else:
            raise ParameterError(f"diff has no option {word!r}{suggestion(name, [f'--{n}' for n in _READ])}")
    return files, options


def _number(text: str) -> float:
    number = float(text)
    if not number >= 0:
        raise ValueError
    return number


def _count(text: str) -> int:
    count = int(text)
    if count < 0:
        raise ValueError
    return count


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _parts(text: str) -> list[str]:
    from webbcal.report.comparison.products import PARTS

    parts = _names(text)
    for part in parts:
        if part not in PARTS:
            raise ParameterError(f"--only={text}: there are {', '.join(PARTS)}{suggestion(part, PARTS)}")
    return parts


_READ: dict[str, Callable[[str], Any]] = {
    "rtol": _number,
    "atol": _number,
    "numdiffs": _count,
    "ignore-keywords": _names,
    "ignore-hdus": _names,
    "only": _parts,
}


def _value(name: str, text: str) -> Any:
    try:
        return _READ[name[2:]](text)
    except ParameterError:
        raise
    except ValueError:
        raise ParameterError(f"{name}={text}: expected a number of at least 0") from None


def _settings(options: dict[str, Any]) -> Any:
    from webbcal.report.comparison.arrays import Tolerance
    from webbcal.report.comparison.products import PARTS, Settings

    return Settings(
        tolerance=Tolerance(options.get("rtol", 0.0), options.get("atol", 0.0)),
        parts=options.get("only", PARTS),
        ignored_keywords=options.get("ignore-keywords", ()),
        ignored_hdus=options.get("ignore-hdus", ()),
        examples=options.get("numdiffs", 5),
    )
