"""The ``webbcal`` command.

Sub-commands are imported when called, so that ``webbcal --help`` is quick. Errors that a user can act on are
one sentence on stderr and exit code 1 (64 if nothing falls on the detector); wrong usage exits with 2, an
interruption with 130.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from webbcal import __version__
from webbcal.cli.jwst_names import JWST_NAMES
from webbcal.core import own_process
from webbcal.core.errors import ParameterError, WebbcalError
from webbcal.core.interruption import listen

COMMANDS = {
    "run": "run a pipeline or step on an exposure",
    "mosaic": "from exposures, raw or calibrated, to their mosaic and its catalogue",
    "batch": "many exposures through all stages, on all cores or a cluster; goes on where it was",
    "status": "tell how far a programme (webbcal batch) is",
    "prefetch": "fetch the references of a programme before it starts",
    "plan": "show what a run would do, with which parameters, references and memory; run nothing",
    "info": "describe a file: its arrays, main keywords, and what was done to it",
    "explain": "say how a product was made, and the command that makes it again",
    "diff": "compare two products: parameters, references, versions, pixels",
    "report": "make pages of products: what was done to them, and pictures",
    "asn": "make associations: which exposures belong together",
    "pointing": "compute the pointing keywords of exposures from the telescope's attitude",
    "simulate": "simulate exposures and the reference files that calibrate them",
    "commands": "write commands by the names of jwst's (strun, asn_from_list) into a folder",
    "demo": "simulate an exposure, calibrate it and make a picture; needs no data and no network",
}


def usage() -> str:
    """Return the help text of the command."""
    lines = [f"  {name:10s}{text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            f"webbcal {__version__}: calibrate JWST exposures",
            "",
            "usage: webbcal COMMAND [ARGUMENTS]",
            "",
            *lines,
            "",
            "webbcal COMMAND --help tells more; webbcal --version prints the version.",
        ]
    )


def program() -> NoReturn:
    """Be the command, in a process of its own."""
    own_process.begin()
    code = main()
    own_process.end()
    sys.exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if words else 2
    if words[0] in ("--version", "-V"):
        print(f"webbcal {__version__}")
        return 0
    words[:1] = JWST_NAMES.get(words[0], words[:1])
    if words[0] not in COMMANDS:
        print(f"webbcal: unknown command {words[0]!r}\n\n{usage()}", file=sys.stderr)
        return 2
    return _guarded(words[0], words[1:])


def _guarded(command: str, words: list[str]) -> int:
    listen()
    try:
        code: int = import_module(f"webbcal.cli.{command}").main(words)
        return code
    except ParameterError as error:
        print(f"webbcal {command}: {error}", file=sys.stderr)
        return 2
    except WebbcalError as error:
        print(f"webbcal {command}: {error}", file=sys.stderr)
        return error.exit_status
    except MemoryError:
        print(
            f"webbcal {command}: out of memory; see webbcal plan, or set WEBBCAL_THREADS=1", file=sys.stderr
        )
        return 1
    except KeyboardInterrupt:
        print(f"webbcal {command}: interrupted; nothing partial was left", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 141
    except OSError as error:  # a full disk, a folder that is a file
        print(f"webbcal {command}: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    program()
