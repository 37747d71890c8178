"""``webbcal explain``: how a product was made, and the command that makes it again."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from webbcal.core.errors import ParameterError
from webbcal.run.configuration import parse_arguments
from webbcal.run.parameters import suggestion

USAGE = """\
usage: webbcal explain PRODUCT [PRODUCT ...] [--output_dir=again] [--from-start] [--commands]

Prints how a product was made: runs, steps, why steps were skipped, parameters that are not defaults with
their origin, references with sha256, versions; and the command that makes it again from its input (from the
input of earlier runs where it is not there, or with --from-start). All parameters are spelled out, so that
the command makes the same pixels whatever CRDS says of parameters today.

  --output_dir=FOLDER     where the command writes (again)
  --commands              print the commands alone, for a shell; what cannot be repeated goes to stderr"""

_FLAGS = ("from-start", "commands")


def main(words: Sequence[str]) -> int:
    """Explain products."""
    flags = {word[2:] for word in words if word.startswith("--") and word[2:] in _FLAGS}
    arguments = parse_arguments(
        ["explain", *(w for w in words if w[2:] not in flags or not w.startswith("--"))]
    )
    given = dict(arguments.parameters)
    folder = given.pop("output_dir", "again")
    if given:
        name = next(iter(given))
        raise ParameterError(f"explain has no option --{name}{suggestion(name, ['output_dir', *_FLAGS])}")
    if not arguments.positional or "help" in arguments.flags:
        print(USAGE)
        return 0 if "help" in arguments.flags else 2
    return _explain([Path(path) for path in arguments.positional], folder, flags)


def _explain(paths: Sequence[Path], folder: str, flags: set[str]) -> int:
    from webbcal.report.account import account_of
    from webbcal.report.again import recipe_of
    from webbcal.report.explanation import explain, script

    blocks, cannot = [], False
    for path in paths:
        account = account_of(path)
        recipe = recipe_of(account, folder, "from-start" in flags)
        cannot |= not recipe.commands
        if "commands" in flags:
            blocks += script([recipe])
            for note in recipe.notes:
                print(f"{path}: {note}", file=sys.stderr)
        else:
            blocks += ["", *explain(account, recipe)] if blocks else explain(account, recipe)
    for line in blocks:
        print(line.encode("utf-8", "backslashreplace").decode())
    return 1 if cannot and "commands" in flags else 0
