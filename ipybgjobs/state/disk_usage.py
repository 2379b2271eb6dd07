"""What folders take on disk: measured by looking, when somebody asks; kept nowhere."""

import contextlib
import os
import time

from ..system import sparse


def of_folder(path: str) -> int:
    """Return the bytes that the files below a folder take; what vanishes meanwhile counts nothing."""
    total = 0
    with contextlib.suppress(OSError), os.scandir(path) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    total += of_folder(entry.path)
                else:
                    total += sparse.allocated(entry.stat(follow_symlinks=False))
    return total


def of_folders_within(path: str, seconds: float) -> tuple[int, bool]:
    """Measure the folders in a folder for at most so long; the bytes seen, and whether that is all of them."""
    limit, total = time.monotonic() + seconds, 0
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                total += of_folder(entry.path)
                if time.monotonic() > limit:
                    return total, False
    except OSError:
        return total, False
    return total, True
