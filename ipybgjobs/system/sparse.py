"""Holes in files: free the middle of a file on disk while another process writes at its end. Linux: ``fallocate``.

Elsewhere, and on a file system without holes, nothing is freed and the caller is told.
"""

import os

_KEEP_SIZE, _PUNCH_HOLE = 1, 2

#: Size of the pieces in which a file system frees space.
BLOCK = 4096


def allocated(status: os.stat_result) -> int:
    """Return the bytes that a file takes on disk, its holes not counted."""
    return status.st_blocks * 512


def punch(path: str, begin: int, end: int) -> bool:
    """Free a part of a file on disk, which then reads as zeros; False if that is not possible."""
    import ctypes  # here, since a supervisor rarely needs it

    library = ctypes.CDLL(None)
    if not hasattr(library, "fallocate64"):
        return False
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        offset, length = ctypes.c_int64(begin), ctypes.c_int64(end - begin)
        return bool(library.fallocate64(descriptor, _KEEP_SIZE | _PUNCH_HOLE, offset, length) == 0)
    finally:
        os.close(descriptor)
