"""What it means that SQLite refuses, and what to do; opens no file of the store."""

import os
import sqlite3

from ..system import filesystem
from . import lock_holder

#: Longest path of a store, in bytes: SQLite has room for 512, a name of its own after it and an end.
_LONGEST_PATH = 511 - len("-journal")


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error of SQLite says that the file is damaged."""
    return "malformed" in str(error) or "not a database" in str(error)


def advice(error: sqlite3.Error, path: str) -> str:
    """Return what to do, in a sentence or two."""
    text = str(error)
    if "locked" in text and (named := lock_holder.writer(path, only_stopped=False)) is not None:
        return f"{named[0].upper()}{named[1:]}."
    # SQLite may call a full disk an error of input and output.
    if "full" in text or (("I/O" in text or "unable to open" in text) and filesystem.is_full(os.path.dirname(path))):
        return "The disk is full: free some space."
    if "unable to open" in text and (length := len(os.fsencode(path))) > _LONGEST_PATH:
        return (
            f"Its path has {length} bytes, and SQLite opens none of more than {_LONGEST_PATH}: "
            "set BackgroundJobs.state_dir or IPYBGJOBS_STATE_DIR to a shorter one."
        )
    if "readonly" in text or "unable to open" in text:
        return "The folder must be one that you can write."
    if is_damage(error):
        return (
            "The file is damaged: `jupyter bgjobs doctor` says what of it can be saved, and with --rescue saves it; "
            "or move it aside, and a new store is made, which touches nothing of the jobs there were."
        )
    return "Run `jupyter bgjobs doctor`."
