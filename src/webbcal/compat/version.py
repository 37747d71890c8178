"""The version that scripts for `jwst` see: of the `jwst` whose surface this is, and who stands in for it."""

from webbcal.core.surface import SURFACE

__version__ = SURFACE
