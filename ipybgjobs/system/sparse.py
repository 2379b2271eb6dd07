"""Holes in files: the middle of a file given back to the disk while somebody writes at its end. Linux, by ``fallocate``.

Elsewhere, and on a file system without holes, nothing is given back and the caller is told.
"""

import ctypes
import os

_KEEP_SIZE, _PUNCH_HOLE = 1, 2

#: Size of the pieces in which a file system gives space back.
BLOCK = 4096


def allocated(status: os.stat_result) -> int:
    """Return the bytes that a file takes on disk, its holes not counted."""
    return status.st_blocks * 512


def punch(path: str, begin: int, end: int) -> bool:
    """Give a part of a file back to the disk, where it reads as zeros from then on; False where that can't be done."""
    library = ctypes.CDLL(None)
    if not hasattr(library, "fallocate64"):
        return False
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        offset, length = ctypes.c_int64(begin), ctypes.c_int64(end - begin)
        return bool(library.fallocate64(descriptor, _KEEP_SIZE | _PUNCH_HOLE, offset, length) == 0)
    finally:
        os.close(descriptor)
