"""Standing in for `jwst`: in one process, its imports find webbcal (see docs/as_jwst.md)."""

from webbcal.compat.standing_in import StandingIn, as_jwst

__all__ = ["StandingIn", "as_jwst"]
