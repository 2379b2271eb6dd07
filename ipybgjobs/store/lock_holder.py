"""Find the process that holds the store's write lock, for the messages of those that wait; opens no file of the store."""

import os
import time

from ..model import redaction
from ..system import identity, lock

#: Byte of ``jobs.db-shm`` that a writer locks (SQLite, walformat.html), and of ``jobs.db`` if there is no write-ahead log.
_WAL_WRITE, _RESERVED = 120, 0x40000001

#: Longest duration of a transaction, and the interval between two checks whether it has ended, in seconds.
_LASTING, _LOOK = 1.0, 0.02

#: Characters of a command line that are shown.
_LONGEST_LINE = 80


def pid(database: str) -> int | None:
    """Return the PID of the process that holds the store's write lock; None if no other process holds it."""
    found = lock.writer_of(f"{database}-shm", _WAL_WRITE) or lock.writer_of(database, _RESERVED)
    return None if found == os.getpid() else found


def writer(database: str, *, only_stopped: bool = True) -> str | None:
    """Describe the process that holds the store's write lock.

    Parameters
    ----------
    database : str
        Path of the store.
    only_stopped : bool
        Consider only a process that is stopped; any other will release the lock soon.

    Returns
    -------
    str or None
        Part of a sentence that names the process and the fix; None if no process is to be named.
    """
    found = pid(database)
    if found is None or (only_stopped and not identity.is_stopped(found)):
        return None
    if not identity.is_stopped(found):
        return f"the store is locked by process {_named(found)}; if it hangs, kill it (kill -KILL {found})"
    fix = f"continue it (kill -CONT {found}) or kill it (kill -KILL {found})"
    return f"the store is locked by process {_named(found)}, which is stopped: {fix}"


def persistent_writer(database: str) -> str | None:
    """Describe the process that holds the store's write lock for a whole second, longer than any transaction of ipybgjobs."""
    first, limit = pid(database), time.monotonic() + _LASTING
    while first is not None and time.monotonic() < limit:
        time.sleep(_LOOK)
        if pid(database) != first:
            return None
    return writer(database, only_stopped=False)


def _named(number: int) -> str:
    return f"{number} ({redaction.cut(redaction.one_line(identity.command_line(number)), _LONGEST_LINE)})"
