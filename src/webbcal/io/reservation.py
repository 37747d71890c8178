"""Space on a disk that is set aside for a file before there is anything to write.

A disk that is too full for a product is known before the work for it begins. And where space is given out
only when data leave memory, a file that takes the place of another has to be written out first, which takes
as long as it is large; with the space set aside it has not.
"""

from __future__ import annotations

import ctypes
import errno
import os
from functools import cache
from typing import Any

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def reserve(fd: int, size: int) -> None:
    """Give a file a length, and space on the disk where its file system can set that aside.

    Parameters
    ----------
    fd : int
        The open file.
    size : int
        The length, in bytes; not less than it has.

    Raises
    ------
    OSError
        If there is not so much space, or the file may not be so long.
    """
    # os.posix_fallocate would write to each block where the file system cannot
    allocate = _fallocate()
    if allocate is not None and size > 0 and allocate(fd, 0, 0, size) != 0:
        code = ctypes.get_errno()
        if code in _NO_SPACE:
            raise OSError(code, os.strerror(code))
    os.ftruncate(fd, size)


@cache
def _fallocate() -> Any:
    """Return the function of the system, None where there is none."""
    try:
        function = ctypes.CDLL(None, use_errno=True).fallocate
    except (OSError, AttributeError, TypeError):  # not Linux
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_longlong, ctypes.c_longlong)
    return function
