"""Running people's scripts with webbcal in place of `jwst`: ``python -m webbcal.as_jwst script.py …``."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Sequence

from webbcal.compat.standing_in import as_jwst

USAGE = """\
usage: python -m webbcal.as_jwst SCRIPT.py [ARGUMENTS]
       python -m webbcal.as_jwst -m MODULE [ARGUMENTS]

runs a script or module in which imports of jwst find webbcal"""


def main(words: Sequence[str]) -> int:
    """Run a script, or with ``-m`` a module, as Python would."""
    if not words or words[0] in ("-h", "--help") or list(words) == ["-m"]:
        print(USAGE)
        return 0 if words and words[0] != "-m" else 2
    as_jwst()
    if words[0] == "-m":
        sys.argv = list(words[1:])
        sys.path[0] = os.getcwd()  # noqa: PTH109 (what Python has there is text)
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(words)
        sys.path[0] = os.path.dirname(os.path.abspath(words[0]))  # noqa: PTH100, PTH120
        runpy.run_path(words[0], run_name="__main__")
    return 0
