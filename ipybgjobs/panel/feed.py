"""The one thread of a process that looks at a store for all its panels, and tells them what changed; gone when none looks.

It sleeps until the store gives notice of a change, or a job that runs may have said how far it is. It writes nothing.
"""

import contextlib
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from .. import attempt, presence, unbroken
from ..errors import BackgroundJobError
from ..folder import StateFolder
from ..presence import Presence
from ..process.notice import Notice
from ..store import watching
from ..store.database import Database
from . import board, rows

#: Seconds between two messages at least; between two looks at progress; between two looks where nothing runs.
SHORTEST, RUNNING, IDLE = 0.25, 0.5, 5.0

_LOG = logging.getLogger(__name__)

#: Pauses after the store's file has been written, in seconds: what is written shows a moment later, when it is on disk.
_COMMIT = (0.003, 0.03, 0.3)


class Listener(Protocol):
    """Somebody who shows jobs."""

    def turn(self, delta: dict[str, Any] | None) -> float | None:
        """Take what has changed, None if nothing has; return the longest pause in seconds, None to hear no more."""


class Feed:
    """What changes in one store.

    Parameters
    ----------
    folder : StateFolder
        The state folder.
    open_database : callable
        Opens the store for the thread that calls it.
    """

    def __init__(self, folder: StateFolder, open_database: Callable[[], Database]) -> None:
        self._folder = folder
        self._open = open_database
        self._lock = threading.Lock()
        self._listeners: dict[Listener, int] = {}  # each with the number of its last `add`
        self._added = itertools.count()
        self._thread: threading.Thread | None = None
        self._look: _Look | None = None

    def around(self) -> dict[str, Any]:
        """Return what was last told of what concerns all jobs, from which changes are told; empty where nothing was yet."""
        look = self._look
        return {} if look is None else look.around

    def add(self, listener: Listener) -> None:
        """Tell a listener what changes from now on."""
        unbroken.run(lambda: self._add(listener))

    def _add(self, listener: Listener) -> None:
        with self._lock:
            self._listeners[listener] = next(self._added)
            if self._thread is None or not self._thread.is_alive():  # a fork has no threads
                look = self._look = _Look(self._folder, self._open)  # what changes from here on is told
                self._thread = threading.Thread(target=self._run, args=(look,), name="ipybgjobs-panel", daemon=True)
                self._thread.start()

    def remove(self, listener: Listener) -> None:
        """Tell it no more."""
        unbroken.run(lambda: self._drop(listener))

    def _drop(self, listener: Listener) -> None:
        with self._lock:
            self._listeners.pop(listener, None)

    def _run(self, look: "_Look") -> None:
        soon: Iterator[float] = iter(())
        with contextlib.closing(Notice(self._folder.path)) as notice:
            while True:
                delta = look.again()
                pause = self._tell(delta)
                if pause is None:
                    return
                look.see_to_supervisor()
                if delta is not None:
                    time.sleep(SHORTEST)  # what changes meanwhile goes together
                if notice.wait(next(soon, min(pause, RUNNING if look.running else IDLE))):
                    soon = iter(_COMMIT)

    def _tell(self, delta: dict[str, Any] | None) -> float | None:
        """Tell everybody; return the shortest pause that one wants, None if nobody is left."""
        with self._lock:
            told = dict(self._listeners)
        pauses = {listener: _turn(listener, delta) for listener in told}
        with self._lock:
            for listener, added in told.items():
                if pauses[listener] is None and self._listeners.get(listener) == added:  # not added again meanwhile
                    del self._listeners[listener]
            if not self._listeners:
                self._thread = None
                return None
        return min((pause for pause in pauses.values() if pause is not None), default=SHORTEST)


def _turn(listener: Listener, delta: dict[str, Any] | None) -> float | None:
    """Tell one; what goes wrong with it harms no other."""
    try:
        return listener.turn(delta)
    except Exception:
        _LOG.exception("A panel could not be notified of a change.")
        return IDLE


class _Look:
    """What was seen last, to say what is new."""

    def __init__(self, folder: StateFolder, open_database: Callable[[], Database]) -> None:
        self._folder = folder
        self._open = open_database
        self._database = open_database()
        self._version: tuple[Database, int, str | None] | None = None
        self._presence = Presence()
        self._seen: tuple[float, str | None] = (0.0, None)  # when it was looked for trouble last, and what was found
        self._since = watching.moment(self._database)
        self.around: dict[str, Any] = {}
        self._said: dict[str, int] = {}  # by attempt folder: when it said how far it is
        self._troubled = False
        self.running: list[watching.Running] = []

    def again(self) -> dict[str, Any] | None:
        """Return what changed since the last look; None if nothing did."""
        try:
            found = {**self._changes(), **self._progress()}
        except BackgroundJobError as error:
            self._version, found = None, {"trouble": str(error)}
        if self._troubled and "trouble" not in found:
            found["trouble"] = None
        self._troubled = bool(found.get("trouble"))
        return {"kind": "delta", "now": time.time(), **found} if found else None

    def _changes(self) -> dict[str, Any]:
        database = self._open()
        version = database, database.changed(), self._trouble()
        if version == self._version:
            return {}
        self._version = version
        found: dict[str, Any] = {}
        changed = board.changes(database, self._since) if database is self._database else None
        if changed is None:  # too long ago, or another store in its place
            self._database = database
            self._since, found = watching.moment(database), {"lost": True}
        elif changed["seq"] != self._since:
            self._since, found = changed["seq"], changed
        self.running = watching.running(database)
        around = board.surroundings(database)
        new = {key: value for key, value in around.items() if value != self.around.get(key)}
        self.around = around
        return found | new

    def _trouble(self) -> str | None:
        """What only shows from outside: a supervisor, or whoever holds the store, that is stopped."""
        if time.monotonic() > self._seen[0] + presence.PAUSE:
            self._seen = time.monotonic(), presence.trouble(self._folder)
        return self._seen[1]

    def see_to_supervisor(self) -> None:
        """See to it that a supervisor runs where there is work."""
        with contextlib.suppress(BackgroundJobError):  # the store can't be read: tried again
            self._presence.see_to(self._folder, self._open)

    def _progress(self) -> dict[str, Any]:
        there = {each.folder for each in self.running}
        self._said = {folder: at for folder, at in self._said.items() if folder in there}
        found = [far for each in self.running if (far := self._new_progress(each)) is not None]
        return {"progress": found} if found else {}

    def _new_progress(self, one: watching.Running) -> list[Any] | None:
        folder = self._folder.attempt(one.folder)
        try:
            at = os.stat(f"{folder}/{attempt.PROGRESS}").st_mtime_ns
        except OSError:
            return None
        if self._said.get(one.folder) == at:
            return None
        self._said[one.folder] = at
        return rows.progress(one.job_id, folder)


def progress_now(folder: StateFolder, database: Database) -> list[list[Any]]:
    """Return how far each job is that runs."""
    found = (rows.progress(each.job_id, folder.attempt(each.folder)) for each in watching.running(database))
    return [far for far in found if far is not None]
