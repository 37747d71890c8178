"""Reading and writing at positions of a file: calls of the system may do a part only."""

from __future__ import annotations

import os


def read_at(fd: int, buffer: memoryview, offset: int) -> int:
    """Fill a buffer from a place in a file, as far as the file goes; return the bytes read."""
    done = 0
    while done < len(buffer):
        count = os.preadv(fd, [buffer[done:]], offset + done)
        if count == 0:
            break
        done += count
    return done


def write_at(fd: int, view: memoryview, offset: int) -> None:
    """Write all bytes to a place in a file.

    Raises
    ------
    OSError
        If the disk is full, or the write fails.
    """
    done = 0
    while done < len(view):
        done += os.pwrite(fd, view[done:], offset + done)
