"""Turn-taking between writers to the store, and notes about the process that a writer waits for.

SQLite makes waiting writers retry after growing pauses, so frequent writers win, and a supervisor among busy clients starves.
So a supervisor that has to wait holds a lock of its own until it has written, and clients let it go first.
A writer that waits for more than a few seconds reports once which process it waits for. No row is changed here.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable

from ..system import shield
from ..system.lock import FileLock, is_held
from . import lock_holder

#: Seconds after which a waiting writer reports which process it waits for.
PATIENCE = 3.0

#: Longest time that a client lets supervisors go first, and the interval between two checks, in seconds.
_COURTESY, _LOOK = 0.5, 0.01

#: Longest time that a supervisor waits like any other writer, and that one try to begin may take, in seconds.
_UNCROWDED, _TRY = 0.01, 0.05


class WriteQueue:
    """Begins the transactions of one process in one store.

    Parameters
    ----------
    database : str
        Path of the store.
    is_supervisor : bool
        Whether this process is a supervisor.
    tell : callable
        Called once with one sentence for each long wait.
    """

    def __init__(self, database: str, *, is_supervisor: bool, tell: Callable[[str], None]) -> None:
        self._database = database
        self._priority_lock_path = f"{database}.turn.lock"  # shared by supervisors while they go first
        self._is_supervisor = is_supervisor
        self._tell = tell
        self._priority_lock: FileLock | None = None
        self.kept_out = False  #: whether a transaction could not begin since this was last set to false

    def begin(self, connection: sqlite3.Connection, longest: float) -> None:
        """Begin a transaction that writes.

        Parameters
        ----------
        connection : sqlite3.Connection
            In no transaction.
        longest : float
            Seconds that it may wait for others.

        Raises
        ------
        sqlite3.Error
            If SQLite refuses, or others have not finished by then.
        """
        if self._is_supervisor and _try_to_begin(connection, min(_UNCROWDED, longest)) is None:
            return
        began, reported = time.monotonic(), False
        while (refusal := self._begin_in_order(connection, longest)) is not None:
            waited = time.monotonic() - began
            if waited >= longest:
                self.kept_out = True
                raise refusal
            shield.check_abandoned()
            if waited >= PATIENCE and not reported:
                self._tell(self._message())
                reported = True

    def _begin_in_order(self, connection: sqlite3.Connection, longest: float) -> sqlite3.OperationalError | None:
        """Try once to begin: as a client after waiting supervisors, as a supervisor before clients that arrive from now on."""
        with contextlib.suppress(OSError):  # no space for a lock file: then no client gives way
            if not self._is_supervisor:
                self._let_supervisors_go_first()
            elif self._priority_lock is None:
                self._priority_lock = FileLock.share(self._priority_lock_path, 0.0)
        return _try_to_begin(connection, min(_TRY, longest))

    def _let_supervisors_go_first(self) -> None:
        limit = time.monotonic() + _COURTESY
        while is_held(self._priority_lock_path, shared=True) and time.monotonic() < limit:
            time.sleep(_LOOK)

    def release(self) -> None:
        """Let clients continue: the transaction has ended, or could not begin."""
        if self._priority_lock is not None:
            self._priority_lock.close()
            self._priority_lock = None

    def _message(self) -> str:
        who = lock_holder.writer(self._database, only_stopped=False) or "the store is locked by another process"
        return f"waiting to write to the store for {PATIENCE:.0f} s so far: {who}."


def _try_to_begin(connection: sqlite3.Connection, seconds: float) -> sqlite3.OperationalError | None:
    """Begin a transaction within a time limit; return the error if another process keeps writing."""
    [(usual,)] = connection.execute("PRAGMA busy_timeout").fetchall()
    connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return error
    finally:
        connection.execute(f"PRAGMA busy_timeout = {usual}")
    return None
