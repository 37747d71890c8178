"""How kernels are compiled (this module imports numba)."""

from __future__ import annotations

from typing import Any

from numba import njit

#: For functions that Python calls: kept on disk after the first compilation, run without the GIL.
kernel = njit(nogil=True, cache=True, error_model="numpy")

# Options that numba uses itself but does not document. Without reference counting of arrays, which would cost
# more than the arithmetic, and without the wrapper for calls from C.
_BARE: dict[str, Any] = {"_nrt": False, "no_cfunc_wrapper": True}

#: For functions that only kernels call, often once a pixel. They cannot allocate arrays.
helper = njit(nogil=True, error_model="numpy", **_BARE)
