"""A thread's connection to a store, which a fork of the process does not inherit.

SQLite remembers, for a whole process, which files it has locked. A fork inherits that memory but not the locks: it would write
while others believe that they hold the lock, and corrupt the file. So every connection is closed before a fork, and opened
again when it is needed. No connection is opened or closed while the process forks: SQLite's own mutexes would stay locked in the
fork. This module knows no table.
"""

import contextlib
import os
import sqlite3
import sys
import threading
import time
import weakref
from collections.abc import Callable

from ..errors import StoreError
from ..system import lock

#: Longest time that a fork waits for other threads to finish their work in a store, in seconds.
LONGEST_WAIT = 1.0

#: Held while a connection is opened or closed, and by a fork from before it closes them until it has forked.
_not_forking = threading.RLock()

#: Whether this process was forked while another thread was opening a connection.
_was_opening = False

_connections: "dict[int, weakref.ref[ThreadConnection]]" = {}

#: Those whose connection was open at the fork that created this process; kept, since releasing one would close it.
_inherited: "list[ThreadConnection]" = []


def _unforked() -> contextlib.AbstractContextManager[object]:
    """Keep this process from forking meanwhile.

    At the end of Python nothing forks, and a daemon thread that was stopped within an opening never gives back the lock.
    """
    return contextlib.nullcontext() if sys.is_finalizing() else _not_forking


class ThreadConnection:
    """Holds one thread's connection to one store; closed when the thread ends, and never by a fork of its process.

    Parameters
    ----------
    path : str
        The store's file.
    """

    pid = 0
    connection: sqlite3.Connection | None = None  #: none yet if an interrupt has stopped the making of this object

    def __init__(self, path: str) -> None:
        self.path = path
        self.pid = os.getpid()
        self.lock = threading.RLock()  #: held by its thread while it uses the connection
        self.openings = 0  #: number of connections so far
        _connections[id(self)] = weakref.ref(self)

    def open(self, connect: Callable[[], sqlite3.Connection]) -> sqlite3.Connection:
        """Return the connection, opened if there is none; not while this process forks."""
        if self.connection is None:
            with _not_forking:
                check_inherited(self.path)
                self.connection = connect()
                self.openings += 1
        return self.connection

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self.pid == os.getpid() and self.connection is not None:
            with _unforked():
                connection, self.connection = self.connection, None
                if connection is not None:  # else a fork of another thread has closed it meanwhile
                    connection.close()

    def close_when_unused(self, seconds: float) -> None:
        """Close the connection as soon as its thread does not use it, waiting at most the given number of seconds."""
        if self.connection is None or self.pid != os.getpid() or not self.lock.acquire(timeout=max(0.0, seconds)):
            return
        try:
            if self.connection is not None and not self.connection.in_transaction:
                self.close()
        finally:
            self.lock.release()

    def __del__(self) -> None:
        _connections.pop(id(self), None)
        self.close()


def _open_connections() -> "list[ThreadConnection]":
    """Return the existing ones; a list, since filling a tuple can trigger a collection that removes others meanwhile."""
    return [thread_connection for reference in list(_connections.values()) if (thread_connection := reference()) is not None]


def check_inherited(path: str) -> None:
    """Refuse a store that was in use when this process was forked.

    Raises
    ------
    StoreError
        If it was in use.
    """
    known = (*_inherited, *_open_connections())
    if _was_opening or any(each.path == path and each.pid != os.getpid() and each.connection is not None for each in known):
        raise StoreError(
            f"The store {path} can't be used in this process, which was forked while its parent was using the store. Start it "
            'with multiprocessing\'s "spawn" or "forkserver", or fork while no thread uses the store. Nothing was changed.'
        )


def _close_all() -> None:
    """Close the connections that can be closed; the child inherits the others."""
    limit = time.monotonic() + LONGEST_WAIT
    may_close = _not_forking.acquire(timeout=LONGEST_WAIT)
    open_connections = _open_connections()
    _inherited.extend(
        thread_connection for thread_connection in open_connections if thread_connection not in _inherited
    )  # first, since an interrupt can stop this anywhere
    for thread_connection in open_connections if may_close else ():
        with contextlib.suppress(sqlite3.Error):
            thread_connection.close_when_unused(limit - time.monotonic())


def _forked() -> None:
    """In the parent: connections may be opened again."""
    _inherited[:] = [thread_connection for thread_connection in _inherited if thread_connection.pid != os.getpid()]
    with contextlib.suppress(RuntimeError):  # another thread was opening one for too long
        _not_forking.release()


def _begin_as_fork() -> None:
    """In the child: the same, unless another thread of its parent was opening a connection, which no thread finishes here."""
    global _not_forking, _was_opening
    try:
        _not_forking.release()
    except RuntimeError:
        _not_forking, _was_opening = threading.RLock(), True


lock.around_forks(_close_all, _forked, _begin_as_fork)
