"""Explain SQLite's errors and advise what to do; opens no file of the store."""

import os
import sqlite3

from ..model import surface
from ..system import filesystem
from . import lock_holder

#: Longest path of a store, in bytes: SQLite has room for 512, including a suffix of its own and a terminator.
_LONGEST_PATH = 511 - len("-journal")


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error of SQLite means that the file is damaged."""
    return "malformed" in str(error) or "not a database" in str(error)


def advice(error: sqlite3.Error, path: str) -> str:
    """Return advice in one or two sentences."""
    text = str(error)
    if "locked" in text and (named := lock_holder.writer(path, only_stopped=False)) is not None:
        return f"{named[0].upper()}{named[1:]}."
    # SQLite may report a full disk as an I/O error.
    if "full" in text or (("I/O" in text or "unable to open" in text) and filesystem.is_full(os.path.dirname(path))):
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
            f"The file is damaged: {surface.command('doctor')} reports what can be saved, and --rescue saves it; or move "
            "the file aside: a new store is then created, and nothing of the earlier jobs is touched."
        )
    return f"Run {surface.command('doctor')}."
