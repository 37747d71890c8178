"""``python -m webbcal.as_jwst script.py …``: run a script in which imports of `jwst` find webbcal.

The function has this module's name: `webbcal.as_jwst()` works also where the module was imported.
"""

import sys
from types import ModuleType

from webbcal.compat import StandingIn, as_jwst


class _Callable(ModuleType):
    def __call__(self) -> StandingIn:
        """Let imports of `jwst` find webbcal."""
        return as_jwst()


if __name__ == "__main__":
    from webbcal.compat.script import main

    sys.exit(main(sys.argv[1:]))

sys.modules[__name__].__class__ = _Callable
