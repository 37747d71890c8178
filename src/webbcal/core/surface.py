"""The version of `jwst` whose surface and products these are, with who stands in for it behind it."""

from webbcal import __version__

#: A version by PEP 440; it compares as 3.0.0 and a little more. Scripts see it, and associations say it.
SURFACE = f"3.0.0+webbcal.{__version__}"
