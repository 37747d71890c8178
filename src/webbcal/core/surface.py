"""The surface of `jwst` that this package has: of which version, and whether scripts see that only."""

from __future__ import annotations

from dataclasses import dataclass

from webbcal import __version__

#: A version by PEP 440; it compares as 3.0.0 and a little more. Scripts see it, and associations say it.
SURFACE = f"3.0.0+webbcal.{__version__}"


@dataclass
class _Process:
    """What holds for this process."""

    stands_in: bool = False


#: Whether `jwst` is webbcal here (`as_jwst()`): what only looks like a mistake is then done with a warning.
process = _Process()
