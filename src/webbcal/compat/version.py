"""The versions that scripts for `jwst` see: of the `jwst` whose surface this is, and who stands in for it."""

from importlib.metadata import PackageNotFoundError, version

from webbcal.core.surface import SURFACE

__version__ = SURFACE


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return SURFACE


#: Of `stdatamodels`, of which an installed one has what is not ours.
of_stdatamodels = _installed("stdatamodels")
