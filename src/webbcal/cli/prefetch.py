"""``webbcal prefetch``: fetch the references of a programme before it starts."""

from __future__ import annotations

from collections.abc import Sequence

from webbcal.cli.batch import settings_from
from webbcal.run.configuration import parse_arguments

USAGE = """\
usage: webbcal prefetch INPUT...

INPUT     as for webbcal batch: exposures, folders of them, associations, or a TOML file that names them

Finds the references that the jobs of a programme may need, fetches those that are not in the CRDS cache, and
tells how many bytes they are: to be done once, before many workers want them at the same time."""


def main(words: Sequence[str]) -> int:
    """Fetch references."""
    arguments = parse_arguments(words)
    if not arguments.target or "help" in arguments.flags:
        print(USAGE)
        return 0 if "help" in arguments.flags else 2
    arguments.parameters.setdefault("output_dir", ".")  # nothing is written
    from webbcal.programme.prefetch import prefetch

    print(prefetch(settings_from(arguments)))
    return 0
