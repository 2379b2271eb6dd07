"""Measure the disk use of folders, on request; nothing is recorded."""

import contextlib
import os
import time


def of_folder(path: str) -> int:
    """Return the bytes that the files below a folder take; files that vanish meanwhile are not counted."""
    total = 0
    with contextlib.suppress(OSError), os.scandir(path) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    total += of_folder(entry.path)
                else:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total


def of_folders_within(path: str, seconds: float) -> tuple[int, bool]:
    """Measure the folders in a folder for a limited time; return the bytes counted, and whether that is all."""
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
