"""Opening, migrating and transactions; the only module that handles SQLite's errors.

A connection belongs to one thread of one process: it is never used across a fork.
"""

import contextlib
import functools
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..errors import StoreDamaged, StoreError
from ..state import occupancy, ownership
from ..state.folder import StateFolder
from ..system import identity, interrupt_shield, place, private_file, wakeup
from ..system.lock import FileLock, is_held
from . import journal, sqlite_errors
from .connection import ThreadConnection
from .write_queue import WriteQueue

#: Longest wait for another process's transaction, in seconds; transactions here take milliseconds.
BUSY_SECONDS = 60.0

#: Longest wait for an idle supervisor of an older version, and the interval between two checks, in seconds.
_DRAIN_SECONDS, _DRAIN_LOOK = 90.0, 0.1

#: Longest wait for a supervisor to write back a log whose name was removed, in seconds: it checks when it is woken.
_LONGEST_CHECKPOINT = 10.0

#: Pages of the write-ahead log at which a client writes it back itself, if no supervisor does.
_LARGE_LOG = 10_000

#: The application id in the store's header (32 bits) holds the creation time in seconds, so that it moves with the file.
_UNSIGNED = 1 << 32

#: The schema that this version reads and writes; the number of the newest file in ``sql/``.
SCHEMA = 8

#: The first schema in which a supervisor belongs to a place; before, it belonged to a host.
_PLACES = 4


class Database:
    """One SQLite file.

    Parameters
    ----------
    path : str
        The file; created if absent.
    durable : bool
        Whether a commit is on disk when it returns (``synchronous=FULL``).
    supervising : bool
        Whether the caller already holds the supervisor's lock, which a migration needs.
    tell : callable
        Called with one sentence when a transaction has waited long, naming the process that it waits for.

    Raises
    ------
    StoreError
        If it can't be opened, was written by a newer version, or is in a folder that other users can write (see `ownership`).
    """

    def __init__(
        self, path: str, *, durable: bool, supervising: bool = False, tell: Callable[[str], None] = lambda _: None
    ) -> None:
        self.path = path
        self.folder = os.path.dirname(path)  #: the state folder
        self.write_queue = WriteQueue(path, is_supervisor=supervising, tell=tell)
        self._durable = durable
        self._supervising = supervising
        self._local = threading.local()
        ownership.check(self.folder)
        try:
            with self._translated():
                self._occupancy = occupancy.enter(StateFolder(self.folder))
            self._keep_logs()
            self._open()
        except BaseException:
            self.close()
            raise
        self._files = _files(path)

    def is_there(self) -> bool:
        """Return whether the folder, file and write-ahead log at its path are still the open ones, and not recreated."""
        return self._files[1] is not None and _files(self.path) == self._files

    def is_current(self) -> bool:
        """Return whether it does not need to be reopened: it is there, and its journal is safe on its file system."""
        return self.is_there() and self.journal.is_safe

    def close_stale(self) -> None:
        """Close a store that is no longer at its path, or has to be reopened.

        If the write-ahead log was removed, this process may be the last to have it: it is written back into the file. If
        another log has replaced it, that would mix the two.
        """
        if self._thread_connection().connection is not None and not os.path.exists(f"{self.path}-wal"):
            with contextlib.suppress(StoreError):
                self.checkpoint()
        self.close()

    def created_at(self) -> float | None:
        """When the store was created, in seconds since the epoch; None if an older version created it."""
        with self._translated():
            return float(self.connection.execute("PRAGMA application_id").fetchone()[0] % _UNSIGNED) or None

    def _keep_logs(self) -> None:
        """Preserve data that is only in a write-ahead log whose database, or whose name, was removed.

        SQLite deletes a log beside an empty file, so the log is moved aside. A supervisor that still has the log open, though its
        name is gone, writes it back into the file at its next check: no other log may exist before that.
        """
        log, limit = f"{self.path}-wal", time.monotonic() + _LONGEST_CHECKPOINT
        with contextlib.suppress(FileNotFoundError):
            if os.path.getsize(log) and not (os.path.exists(self.path) and os.path.getsize(self.path)):
                os.rename(log, f"{log}.left-{time.strftime('%Y%m%d-%H%M%S')}")
        while not self._supervising and self._log_was_taken(log) and time.monotonic() < limit:
            wakeup.send(self.folder)
            time.sleep(_DRAIN_LOOK)

    def _log_was_taken(self, log: str) -> bool:
        """Return whether a supervisor has the store open and writes a log whose name was removed."""
        there = os.path.exists(f"{self.path}-shm") and not os.path.exists(log)
        return there and is_held(StateFolder(self.folder).supervisor_lock(place.here()))

    def _open(self) -> None:
        with self._translated():
            self._settle_journal()
            if self._version() < SCHEMA:
                self._upgrade()
            version = self._version()
        if version > SCHEMA:
            raise StoreError(
                f"The store {self.path} was written by a newer version of ipybgjobs (schema {version}, this one is {SCHEMA}): "
                "upgrade ipybgjobs here, or choose another state folder. Nothing was changed."
            )

    def _settle_journal(self) -> None:
        """Switch the store to the right journal for its file system, if no other process has it open."""
        self.journal = journal.of(self.connection, self.path)
        if self.journal.mode != self.journal.right:
            self.close()
            with contextlib.closing(self._schema_lock()):
                self.journal = journal.convert(self.path)

    def check_journal(self) -> None:
        """Refuse new work while the store's journal is not safe on its file system.

        Raises
        ------
        StoreError
            If it is not safe.
        """
        trouble = journal.trouble(self.path, self.journal)
        if trouble is not None:
            raise StoreError(trouble)

    @property
    def connection(self) -> sqlite3.Connection:
        """Return this thread's connection."""
        return self._thread_connection().open(self._connect)

    def _thread_connection(self) -> ThreadConnection:
        thread_connection: ThreadConnection | None = getattr(self._local, "connection", None)
        if thread_connection is None or thread_connection.pid != os.getpid():
            thread_connection = self._local.connection = ThreadConnection(self.path)
        return thread_connection

    def _connect(self) -> sqlite3.Connection:
        if not os.path.exists(self.path):
            os.close(private_file.open_private(self.path, os.O_RDWR))  # SQLite's other files inherit its mode
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.row_factory = sqlite3.Row
        connection.text_factory = _text
        with_log = journal.has_log(connection)  # the file survives a power failure either way
        connection.execute(f"PRAGMA synchronous = {'NORMAL' if with_log and not self._durable else 'FULL'}")
        connection.execute("PRAGMA secure_delete = ON")
        if self._durable:  # a client leaves checkpoints to the supervisor, for which no user waits
            connection.execute(f"PRAGMA wal_autocheckpoint = {_LARGE_LOG}")

    def _version(self) -> int:
        return int(self.connection.execute("PRAGMA user_version").fetchone()[0])

    def _upgrade(self) -> None:
        """Create or upgrade the store; one process at a time, and never beside a supervisor of an older version."""
        began = time.monotonic()
        while not self._try_to_upgrade():
            interrupt_shield.check_abandoned()
            waited = time.monotonic() - began
            live = self.connection.execute("SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')").fetchone()[0]
            if waited > (_DRAIN_SECONDS if not live else _DRAIN_LOOK * 20):
                raise StoreError(
                    f"The store {self.path} belongs to an older version of ipybgjobs, whose supervisor is still using it ({live} "
                    "unfinished jobs): let it finish with that version, or choose another state folder. Nothing was changed."
                )
            time.sleep(_DRAIN_LOOK)

    def _try_to_upgrade(self) -> bool:
        schema = self._schema_lock()
        supervisor: FileLock | None = None
        try:
            if self._version() >= SCHEMA:
                return True
            if self._version() > 0 and not (self._supervising and self._version() >= _PLACES):
                supervisor = None if self._heard_elsewhere() else FileLock.acquire(self._supervisor_lock(), wait=False)
                if supervisor is None:
                    return False
            self._migrate()
        finally:
            for lock in (supervisor, schema):
                if lock is not None:
                    lock.close()
        return True

    def _schema_lock(self) -> FileLock:
        taken = FileLock.acquire(f"{self.path}.schema.lock", wait=True)
        assert taken is not None
        return taken

    def _supervisor_lock(self) -> str:
        return StateFolder(self.folder).supervisor_lock(self._own_supervisor()[1])

    def _heard_elsewhere(self) -> bool:
        """Return whether a supervisor elsewhere has been active lately."""
        column, own = self._own_supervisor()
        sql = f"SELECT EXISTS (SELECT 1 FROM supervisors WHERE {column} != ? AND heard_at > ?)"
        return bool(self.connection.execute(sql, (own, time.time() - _DRAIN_SECONDS)).fetchone()[0])

    def _own_supervisor(self) -> tuple[str, str]:
        """Return what identifies this process's supervisor in the current schema: the column, and its value."""
        return ("place", place.here()) if self._version() >= _PLACES else ("host", identity.host())

    def _migrate(self) -> None:
        """Run the migrations that are missing."""
        for number in range(self._version() + 1, SCHEMA + 1):
            born = f"PRAGMA application_id = {_signed(int(time.time()))};" if number == 1 else ""
            text = _migration(number)
            self.connection.executescript(f"BEGIN IMMEDIATE;\n{text}\n{born}PRAGMA user_version = {number};\nCOMMIT;")

    def read(self, sql: str, values: Sequence[Any] | dict[str, Any] = ()) -> list[sqlite3.Row]:
        """Run one query."""
        with self._translated():
            return self.connection.execute(sql, values).fetchall()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Run several queries that change nothing."""
        with self._translated():
            yield self.connection

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run one transaction that writes everything or nothing; it must run only its statements, since all other processes wait.

        Raises
        ------
        StoreError
            If SQLite refuses; nothing was changed.
        """
        with self._translated():
            connection = self._idle_connection()
            try:
                self.write_queue.begin(connection, BUSY_SECONDS)
                yield connection
                interrupt_shield.commit_point()
                connection.execute("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise
            finally:
                self.write_queue.release()

    def _idle_connection(self) -> sqlite3.Connection:
        """Return this thread's connection outside a transaction; one that was left open is rolled back."""
        if self.connection.in_transaction:
            _roll_back(self.connection)
            if self.connection.in_transaction:
                self.close()
        return self.connection

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            with self.guarded():
                yield
        except OSError as error:
            if error.errno is None:  # a signal handler's TimeoutError, say
                raise
            raise StoreError(f"The store {self.path} can't be opened: {error.strerror}. Nothing was changed.") from error

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Translate SQLite's errors, also for code that uses the bare connection.

        Raises
        ------
        StoreDamaged
            If the file is damaged.
        StoreError
            If SQLite refuses for another reason.
        """
        try:
            with self._thread_connection().lock:
                yield
        except sqlite3.Error as error:
            kind = StoreDamaged if sqlite_errors.is_damage(error) else StoreError
            raise kind(
                f"SQLite error in the store {self.path}: {error}. {sqlite_errors.advice(error, self.path)} Nothing was changed."
            ) from error

    def changed(self) -> int:
        """Return a number that changes when another connection commits, or when this thread gets a new connection."""
        with self._translated():
            version = int(self.connection.execute("PRAGMA data_version").fetchone()[0])
            return (self._thread_connection().openings << 32) + version

    def checkpoint(self) -> bool:
        """Write the write-ahead log back into the file and empty it, so that no deleted data stays in it.

        Returns
        -------
        bool
            False while another process is reading; retry later.
        """
        with self._translated():
            self.connection.execute("PRAGMA busy_timeout = 0")
            try:
                busy = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            finally:
                self.connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
        return not busy

    def close(self) -> None:
        """Close this thread's connection."""
        self._thread_connection().close()


def _roll_back(connection: sqlite3.Connection) -> None:
    with contextlib.suppress(sqlite3.Error):  # there is no transaction
        connection.execute("ROLLBACK")


#: Reads a text that may not be UTF-8: SQLite would refuse the whole query for one such cell.
_text = functools.partial(str, encoding="utf-8", errors="backslashreplace")


def _files(path: str) -> list[tuple[int, int] | None]:
    """Return what identifies the folder, file and write-ahead log of a store beyond their names; None for a missing one."""
    return [_file(each) for each in (os.path.dirname(path), path, f"{path}-wal")]


def _file(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError as error:
        if error.errno is None:  # a signal handler's
            raise
        return None
    return found.st_dev, found.st_ino


def _migration(number: int) -> str:
    """Return the script that leads to a schema."""
    folder = os.path.join(os.path.dirname(__file__), "sql")
    [name] = [name for name in os.listdir(folder) if name.startswith(f"{number:03}_")]
    with open(os.path.join(folder, name), encoding="utf-8") as script:
        return script.read()


def _signed(number: int) -> int:
    """Return the same 32 bits as a signed integer, as SQLite stores them."""
    return (number + _UNSIGNED // 2) % _UNSIGNED - _UNSIGNED // 2
