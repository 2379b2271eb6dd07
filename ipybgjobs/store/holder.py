"""Who holds the store's write lock, so that whoever waits for it can say so; opens no file of the store."""

import os

from .. import redaction
from ..process import identity, lock

#: Byte of ``jobs.db-shm`` that whoever writes locks (SQLite, walformat.html); and of ``jobs.db`` where there is no such log.
_WAL_WRITE, _RESERVED = 120, 0x40000001

#: Characters of a command line that are shown.
_LONGEST_LINE = 80


def writer(database: str, *, only_stopped: bool = True) -> str | None:
    """Say which process holds the store's write lock.

    Parameters
    ----------
    database : str
        Path of the store.
    only_stopped : bool
        Say it only of a process that is stopped; any other is about to let go.

    Returns
    -------
    str or None
        A sentence's part that names the process, and the fix where it is stopped; None where there is nothing to say.
    """
    pid = lock.writer_of(f"{database}-shm", _WAL_WRITE) or lock.writer_of(database, _RESERVED)
    if pid is None or pid == os.getpid():
        return None
    if not identity.is_stopped(pid):
        return None if only_stopped else f"the store is held by the process {_named(pid)}"
    fix = f"continue it (kill -CONT {pid}) or end it (kill -KILL {pid})"
    return f"the store is held by the process {_named(pid)}, which is stopped: {fix}"


def _named(pid: int) -> str:
    return f"{pid} ({redaction.cut(redaction.one_line(identity.command_line(pid)), _LONGEST_LINE)})"
