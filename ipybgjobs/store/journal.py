"""The store's journal, and the right one for its file system: determined at each opening, never assumed.

A write-ahead log needs memory shared by all processes that have the store open, so they must run on one kernel. Elsewhere the
store uses a rollback journal, which needs only locks. The journal is switched while no other process has the store open. No
row is changed.
"""

import contextlib
import os
import sqlite3
from typing import NamedTuple

from ..system import filesystem

#: SQLite's names of the two journals.
_LOG, _ROLLBACK = "wal", "delete"

#: Longest wait for readers of a store without a log, in seconds: they take milliseconds.
_PATIENCE = 5.0


class Journal(NamedTuple):
    """The journal of a store.

    Parameters
    ----------
    mode : str or None
        SQLite's name for it; None if it could not be read, since its log needs memory that can't be shared.
    right : str
        The one for its file system.
    """

    mode: str | None
    right: str

    @property
    def is_log(self) -> bool:
        """Return whether it is a write-ahead log."""
        return self.mode != _ROLLBACK

    @property
    def is_safe(self) -> bool:
        """Return whether it is safe on this file system: a rollback journal is safe everywhere, only slower."""
        return self.right == _LOG or self.mode == _ROLLBACK


def has_log(connection: sqlite3.Connection) -> bool:
    """Return whether a store has a write-ahead log; True also if it can't be read, which the next reader reports."""
    try:
        return _mode(connection) == _LOG
    except sqlite3.OperationalError:
        return True


def of(connection: sqlite3.Connection, path: str) -> Journal:
    """Return the journal that a store has.

    Raises
    ------
    sqlite3.Error
        If the file can't be read, whatever its journal.
    """
    right = _LOG if filesystem.is_local(path) else _ROLLBACK
    try:
        return Journal(_mode(connection), right)
    except sqlite3.OperationalError:
        if right == _LOG:
            raise
        return Journal(None, right)


def _mode(connection: sqlite3.Connection) -> str:
    return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def convert(path: str) -> Journal:
    """Switch a store to the right journal, if no other process has it open; the caller holds the lock of its schema.

    Raises
    ------
    sqlite3.Error
        If the file can't be read, whatever its journal.
    """
    with contextlib.closing(sqlite3.connect(path, timeout=_PATIENCE)) as connection:
        found = of(connection, path)  # another process may have changed it meanwhile
    if found.mode == found.right:
        return found
    with contextlib.closing(sqlite3.connect(path, timeout=0 if found.is_log else _PATIENCE)) as connection:
        try:
            return _change(connection, path, found)
        except sqlite3.OperationalError:  # another process has it open
            return found


def _change(connection: sqlite3.Connection, path: str, found: Journal) -> Journal:
    if found.is_log:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # reads a log without shared memory
    mode = str(connection.execute(f"PRAGMA journal_mode = {found.right}").fetchone()[0])
    changed = found._replace(mode=mode)
    if not changed.is_log:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{path}-shm")  # a copied one would look like that of a log whose name was removed
    return changed


def trouble(path: str, found: Journal) -> str | None:
    """Describe what is wrong with the journal of a store, and the fix; None if it is fine."""
    if found.is_safe:
        return None
    return (
        f"The store {path} is now on {filesystem.describe(path)}, but uses a write-ahead log, which is safe only on a local "
        "disk. The log is converted as soon as only one process has the store open; until then, nothing can be submitted: end "
        "the kernels, scripts and jobs that have the store open and try again, or choose another state folder."
    )
