"""``webbcal status``: how far a programme is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

USAGE = """\
usage: webbcal status FOLDER

Tells how many jobs of the programme in FOLDER (the --output-dir of webbcal batch) are done, run, wait or have
failed, and why; at any moment, from another terminal or host. Exits with 1 if a job has failed."""


def main(words: Sequence[str]) -> int:
    """Print how far a programme is."""
    if len(words) != 1 or words[0] in ("-h", "--help"):
        print(USAGE, file=sys.stdout if words else sys.stderr)
        return 0 if "--help" in words or "-h" in words else 2
    from webbcal.programme.folder import Folder
    from webbcal.programme.status import in_text, status_of

    status = status_of(Folder(Path(words[0]).absolute()))
    print(in_text(status))
    return 1 if status.failures else 0
