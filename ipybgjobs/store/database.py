"""Opening, migrating and transactions; the only place that knows SQLite's errors.

A connection belongs to one thread of one process: it is never used across a fork.
"""

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from importlib import resources
from typing import Any

from .. import presence
from ..errors import StoreError
from ..folder import StateFolder
from ..process import identity, place
from ..process.filesystem import is_network
from ..process.lock import FileLock

#: Longest wait for another's transaction, in seconds; transactions here take milliseconds.
BUSY_SECONDS = 60.0

#: Longest wait for the supervisor of an older version that has nothing to do, and between two looks, in seconds.
_DRAIN_SECONDS, _DRAIN_LOOK = 90.0, 0.1

#: Pages of the write-ahead log at which a client folds it back itself, if no supervisor does.
_LARGE_LOG = 10_000

#: The schema that this version reads and writes; the number of the newest file in ``sql/``.
SCHEMA = 4

#: The first schema by which a supervisor is a place's; before, it was a host's.
_PLACES = 4


class _Held:
    """A thread's connection; it is closed when the thread ends, and never by a fork of its process."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.pid = os.getpid()
        self.connection = connection

    def close(self) -> None:
        if self.pid == os.getpid():
            self.connection.close()

    __del__ = close


class Database:
    """One SQLite file.

    Parameters
    ----------
    path : str
        The file; created if absent.
    durable : bool
        Whether a commit is on disk when it returns (``synchronous=FULL``).
    supervising : bool
        Whether the caller holds the supervisor's lock already, which a migration needs.

    Raises
    ------
    StoreError
        If it can't be opened, or a newer version wrote it.
    """

    def __init__(self, path: str, *, durable: bool, supervising: bool = False) -> None:
        self.path = path
        self.folder = os.path.dirname(path)  #: the state folder
        self._durable = durable
        self._supervising = supervising
        self._local = threading.local()
        try:
            with self._translated():
                self._presence = presence.enter(StateFolder(self.folder))
            self._open()
        except BaseException:
            self.close()
            raise
        self._file = _file(path)

    def is_there(self) -> bool:
        """Whether the file at its path is still the one that is open: a folder may be removed, and made anew."""
        return self._file is not None and _file(self.path) == self._file

    def _open(self) -> None:
        with self._translated():
            if self._version() < SCHEMA:
                self._upgrade()
            version = self._version()
        if version > SCHEMA:
            raise StoreError(
                f"The store {self.path} was written by a newer version of ipybgjobs (schema {version}, this one knows {SCHEMA}); "
                "upgrade ipybgjobs here, or choose another state folder. Nothing was changed."
            )

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        held: _Held | None = getattr(self._local, "held", None)
        if held is None or held.pid != os.getpid():
            held = self._local.held = _Held(self._connect())
        return held.connection

    def _connect(self) -> sqlite3.Connection:
        if not os.path.exists(self.path):
            os.close(os.open(self.path, os.O_CREAT | os.O_CLOEXEC | os.O_RDWR, 0o600))
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.row_factory = sqlite3.Row
        connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
        connection.execute("PRAGMA secure_delete = ON")
        if self._durable:  # a client: folding the log back into the file is left to the supervisor, which nobody waits for
            connection.execute(f"PRAGMA wal_autocheckpoint = {_LARGE_LOG}")

    def _version(self) -> int:
        return int(self.connection.execute("PRAGMA user_version").fetchone()[0])

    def _upgrade(self) -> None:
        """Make the store, or bring it up to date; one process at a time, and never beside a supervisor of an older version."""
        began = time.monotonic()
        while not self._try_to_upgrade():
            waited = time.monotonic() - began
            live = self.connection.execute("SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')").fetchone()[0]
            if waited > (_DRAIN_SECONDS if not live else _DRAIN_LOOK * 20):
                raise StoreError(
                    f"The store {self.path} is an older version's of ipybgjobs, whose supervisor works on it ({live} jobs have "
                    "not ended): wait for its end with that version, or choose another state folder. Nothing was changed."
                )
            time.sleep(_DRAIN_LOOK)

    def _try_to_upgrade(self) -> bool:
        schema = FileLock.acquire(f"{self.path}.schema.lock", wait=True)
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

    def _supervisor_lock(self) -> str:
        return StateFolder(self.folder).supervisor_lock(self._own_supervisor()[1])

    def _heard_elsewhere(self) -> bool:
        """Whether a supervisor elsewhere has been heard of lately."""
        column, own = self._own_supervisor()
        sql = f"SELECT EXISTS (SELECT 1 FROM supervisors WHERE {column} != ? AND heard_at > ?)"
        return bool(self.connection.execute(sql, (own, time.time() - _DRAIN_SECONDS)).fetchone()[0])

    def _own_supervisor(self) -> tuple[str, str]:
        """What tells this process's supervisor from others in the store as it is: the column, and what stands in it."""
        return ("place", place.here()) if self._version() >= _PLACES else ("host", identity.host())

    def _migrate(self) -> None:
        """Run the migrations that are missing."""
        self.connection.execute(f"PRAGMA journal_mode = {'DELETE' if is_network(self.path) else 'WAL'}")
        for number in range(self._version() + 1, SCHEMA + 1):
            [script] = [file for file in _migrations() if file.name.startswith(f"{number:03}_")]
            text = script.read_text(encoding="utf-8")
            self.connection.executescript(f"BEGIN IMMEDIATE;\n{text}\nPRAGMA user_version = {number};\nCOMMIT;")

    def read(self, sql: str, values: Sequence[Any] | dict[str, Any] = ()) -> list[sqlite3.Row]:
        """Run one query."""
        with self._translated():
            return self.connection.execute(sql, values).fetchall()

    @contextlib.contextmanager
    def looking(self) -> Iterator[sqlite3.Connection]:
        """Several queries that change nothing."""
        with self._translated():
            yield self.connection

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction that writes: all of it or nothing.

        Raises
        ------
        StoreError
            If SQLite refuses; nothing was changed.
        """
        with self._translated():
            connection = self.connection
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"The store {self.path} refuses: {error}. {_advice(error)} Nothing was changed.") from error
        except OSError as error:
            raise StoreError(f"The store {self.path} can't be opened: {error.strerror}. Nothing was changed.") from error

    def changed(self) -> int:
        """Return a number that changes when another connection has committed."""
        with self._translated():
            return int(self.connection.execute("PRAGMA data_version").fetchone()[0])

    def fold(self) -> bool:
        """Fold the write-ahead log back into the file and empty it, so that nothing deleted stays in it.

        Returns
        -------
        bool
            False while somebody reads; to be tried again.
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
        held: _Held | None = getattr(self._local, "held", None)
        if held is not None:
            held.close()
        self._local.held = None


def _file(path: str) -> tuple[int, int] | None:
    """What tells a file from another of the same name; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _migrations() -> list[Any]:
    return list(resources.files(__package__).joinpath("sql").iterdir())


def _advice(error: sqlite3.Error) -> str:
    text = str(error)
    if "full" in text:
        return "The disk is full: free some space."
    if "readonly" in text or "unable to open" in text:
        return "The folder must be one that you can write."
    if "malformed" in text or "not a database" in text:
        return "The file is damaged: move it aside and a new store is made."
    return "Run `jupyter bgjobs doctor`."
