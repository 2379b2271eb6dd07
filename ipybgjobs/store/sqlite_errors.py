"""Explain SQLite's errors and advise what to do; opens no file of the store."""

import contextlib
import os
import sqlite3

from . import lock_holder

#: Longest path of a store, in bytes: SQLite has room for 512, including a suffix of its own and a terminator.
_LONGEST_PATH = 511 - len("-journal")


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error of SQLite means that the file is damaged."""
    return "malformed" in str(error) or "not a database" in str(error)


def _is_full(path: str) -> bool:
    """Return whether the disk has no space or no inodes left, which SQLite may report as an I/O error."""
    with contextlib.suppress(OSError):
        found = os.statvfs(os.path.dirname(path))
        return found.f_bavail == 0 or (found.f_files > 0 and found.f_favail == 0)
    return False


def advice(error: sqlite3.Error, path: str) -> str:
    """Return advice in one or two sentences."""
    text = str(error)
    if "locked" in text and (named := lock_holder.writer(path, only_stopped=False)) is not None:
        return f"{named[0].upper()}{named[1:]}."
    if "full" in text or (("I/O" in text or "unable to open" in text) and _is_full(path)):
        return "The disk is full: free some space."
    if "unable to open" in text and (length := len(os.fsencode(path))) > _LONGEST_PATH:
        return (
            f"Its path has {length} bytes, and SQLite supports at most {_LONGEST_PATH}: "
            "set BackgroundJobs.state_dir or IPYBGJOBS_STATE_DIR to a shorter path."
        )
    if "readonly" in text or "unable to open" in text:
        return "Make sure that you can write to the folder."
    if is_damage(error):
        return (
            "The file is damaged: `jupyter bgjobs doctor` reports what can be saved, and --rescue saves it; or move the file "
            "aside: a new store is then created, and nothing of the earlier jobs is touched."
        )
    return "Run `jupyter bgjobs doctor`."
