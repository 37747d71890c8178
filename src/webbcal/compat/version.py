"""The version that scripts for `jwst` see: of the `jwst` whose surface this is, and who stands in for it."""

import webbcal

#: A version by PEP 440; it compares as 3.0.0 and a little more.
__version__ = f"3.0.0+webbcal.{webbcal.__version__}"
