"""Measure the disk use of folders, on request; nothing is recorded."""

import contextlib
import os
import time

from ..system import sparse


def of_folder(path: str) -> int:
    """Return the bytes that the files below a folder take; files that vanish meanwhile are not counted."""
    total = 0
    with contextlib.suppress(OSError), os.scandir(path) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    total += of_folder(entry.path)
                else:
                    total += sparse.allocated(entry.stat(follow_symlinks=False))
    return total


def of_folders_within(path: str, seconds: float) -> tuple[dict[str, int], bool]:
    """Measure the folders in a folder for a limited time; return the bytes of each by name, and whether that is all."""
    limit, found = time.monotonic() + seconds, dict[str, int]()
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                found[entry.name] = of_folder(entry.path)
                if time.monotonic() > limit:
                    return found, False
    except OSError:
        return found, False
    return found, True
