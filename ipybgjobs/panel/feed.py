"""The one thread of a process that watches a store for all its panels, and sends them the changes; it stops when none is visible.

It sleeps until the store changes, or until a running job may have reported progress. It changes no job.
"""

import contextlib
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from ..client.jobs import supervision
from ..client.jobs.job_status import FullQueues
from ..client.jobs.supervision import SupervisorMonitor
from ..errors import BackgroundJobError
from ..state import attempt
from ..state.folder import StateFolder
from ..store import changes
from ..store.database import Database
from ..system import interrupt_shield
from ..system.watch import FolderWatch
from . import board, rows
from .recorded import RunningValues

#: Shortest interval between two messages; between two checks of progress; and between two checks while nothing runs; in seconds.
SHORTEST, RUNNING, IDLE = 0.25, 0.5, 5.0

_LOG = logging.getLogger(__name__)

#: Pauses after a write to the store's file, in seconds: a change is visible a moment later, when it is on disk.
_COMMIT = (0.003, 0.03, 0.3)


class FeedSubscriber(Protocol):
    """A display of jobs."""

    def take_changes(self, delta: dict[str, Any] | None) -> float | None:
        """Take the changes, None if there are none; return the longest pause in seconds, None to stop listening."""


class Feed:
    """The changes in one store.

    Parameters
    ----------
    folder : StateFolder
        The state folder.
    open_database : callable
        Opens the store for the thread that calls it.
    full : FullQueues
        The queues without a free slot.
    """

    def __init__(self, folder: StateFolder, open_database: Callable[[], Database], full: FullQueues) -> None:
        self._folder = folder
        self._open = open_database
        self._full = full
        self._lock = threading.Lock()
        self._subscribers: dict[FeedSubscriber, int] = {}  # each with the number of its last `add`
        self._added = itertools.count()
        self._thread: threading.Thread | None = None
        self._tracker: _ChangeTracker | None = None

    def queue_status(self) -> dict[str, Any]:
        """Return the last sent data that concerns all jobs, the base for sending its changes; empty if none was sent yet."""
        tracker = self._tracker
        return {} if tracker is None else tracker.around

    def add(self, subscriber: FeedSubscriber) -> None:
        """Send changes to a listener from now on."""
        interrupt_shield.run(lambda: self._add(subscriber))

    def _add(self, subscriber: FeedSubscriber) -> None:
        with self._lock:
            self._subscribers[subscriber] = next(self._added)
            if self._thread is None or not self._thread.is_alive():  # a fork has no threads
                tracker = self._tracker = _ChangeTracker(self._folder, self._open, self._full)  # changes from now on are sent
                self._thread = threading.Thread(target=self._run, args=(tracker,), name="ipybgjobs-panel", daemon=True)
                self._thread.start()

    def remove(self, subscriber: FeedSubscriber) -> None:
        """Stop sending changes to a listener."""
        interrupt_shield.run(lambda: self._drop(subscriber))

    def _drop(self, subscriber: FeedSubscriber) -> None:
        with self._lock:
            self._subscribers.pop(subscriber, None)

    def _run(self, tracker: "_ChangeTracker") -> None:
        soon: Iterator[float] = iter(())
        with contextlib.closing(FolderWatch(self._folder.path)) as notice:
            while True:
                delta = tracker.poll()
                pause = self._tell(delta)
                if pause is None:
                    return
                tracker.ensure_supervisor()
                if delta is not None:
                    time.sleep(SHORTEST)  # changes in the meantime are sent together
                if notice.wait(next(soon, min(pause, RUNNING if tracker.running else IDLE))):
                    soon = iter(_COMMIT)

    def _tell(self, delta: dict[str, Any] | None) -> float | None:
        """Send changes to all listeners; return the shortest pause that one wants, None if none is left."""
        with self._lock:
            told = dict(self._subscribers)
        pauses = {subscriber: _notify(subscriber, delta) for subscriber in told}
        with self._lock:
            for subscriber, added in told.items():
                if pauses[subscriber] is None and self._subscribers.get(subscriber) == added:  # not added again in the meantime
                    del self._subscribers[subscriber]
            if not self._subscribers:
                self._thread = None
                return None
        return min((pause for pause in pauses.values() if pause is not None), default=SHORTEST)


def _notify(subscriber: FeedSubscriber, delta: dict[str, Any] | None) -> float | None:
    """Send changes to one listener; its errors do not affect others."""
    try:
        return subscriber.take_changes(delta)
    except Exception:
        _LOG.exception("A panel could not be notified of a change.")
        return IDLE


class _ChangeTracker:
    """The state at the last check, to find what is new."""

    def __init__(self, folder: StateFolder, open_database: Callable[[], Database], full: FullQueues) -> None:
        self._folder = folder
        self._open = open_database
        self._full = full
        self._database = open_database()
        self._version: tuple[Database, int, str | None] | None = None
        self._supervisors = SupervisorMonitor()
        self._seen: tuple[float, str | None] = (0.0, None)  # when trouble was last checked for, and what was found
        self._since = changes.newest_change(self._database)
        self.around: dict[str, Any] = {}
        self._values = RunningValues(folder)
        self._said: dict[str, int] = {}  # by attempt folder: when it reported its progress
        self._troubled = False
        self.running: list[changes.RunningAttempt] = []

    def poll(self) -> dict[str, Any] | None:
        """Return what changed since the last check; None if nothing did."""
        try:
            found = {**self._changes(), **self._progress(), **self._recorded()}
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
        since, found = self._since, {}
        changed = board.changes(database, since) if database is self._database else None
        if changed is None:  # too long ago, or the store was replaced
            since, found = changes.newest_change(database), {"lost": True}
        elif changed["seq"] != since:
            since, found = changed["seq"], changed
        running, around = changes.running(database), board.queue_status(database, self._full)
        new = {key: value for key, value in around.items() if value != self.around.get(key)}
        # Only once all was read: what a failed look had found is found again by the next one.
        self._version, self._database, self._since = version, database, since
        self.running, self.around = running, around
        return found | new

    def _trouble(self) -> str | None:
        """Return trouble that only shows from outside: a stopped supervisor, or a stopped process that holds the store."""
        if time.monotonic() > self._seen[0] + supervision.PAUSE:
            self._seen = time.monotonic(), supervision.trouble(self._folder)
        return self._seen[1]

    def ensure_supervisor(self) -> None:
        """Make sure that a supervisor runs if there is work."""
        with contextlib.suppress(BackgroundJobError):  # the store can't be read: retried
            self._supervisors.ensure_supervisor(self._folder, self._open)

    def _progress(self) -> dict[str, Any]:
        there = {each.folder for each in self.running}
        self._said = {folder: at for folder, at in self._said.items() if folder in there}
        found = [far for each in self.running if (far := self._new_progress(each)) is not None]
        return {"progress": found} if found else {}

    def _recorded(self) -> dict[str, Any]:
        found = self._values.news(self.running)
        return {"values": found} if found else {}

    def _new_progress(self, one: changes.RunningAttempt) -> list[Any] | None:
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
    """Return the progress of each running job."""
    found = (rows.progress(each.job_id, folder.attempt(each.folder)) for each in changes.running(database))
    return [far for far in found if far is not None]
