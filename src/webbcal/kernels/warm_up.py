"""Compile kernels ahead of their use: ``python -m webbcal.kernels.warm_up [name …]``.

Without names, all kernels: for installations that are prepared once for many users. A process that finds
its kernels not compiled yet starts this itself (see `compiling`), with the names of those that it will need.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from webbcal.kernels import NAMES, compiling


def main(names: Sequence[str]) -> None:
    """Compile kernels that no other process is compiling."""
    compiling.helping.wanted = False
    parent = os.getppid()
    for name in names or NAMES:
        if os.getppid() != parent:  # it has ended, and whoever comes next need not wait for us
            return
        module = import_module(f"{__package__}.{name}.cpu")
        with compiling.sole_compiler(compiling.folders[module.__name__], wait=False) as ours:
            if ours:
                module.warm_up()


if __name__ == "__main__":
    main(sys.argv[1:])
