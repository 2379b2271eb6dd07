"""The jobs whose details are open in one panel: the details of each, and its growing log; sent when they change."""

import contextlib
import threading
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from ..client.jobs import attempt_folders
from ..client.jobs.job import Job
from ..errors import BackgroundJobError
from . import details
from .details import Tail

_Message = dict[str, Any]


class _Opened(Struct, eq=False):
    """One open job."""

    job: Job
    tail: Tail | None = None
    stale: bool = True  # whether its details may have changed
    live: bool = True


class OpenJobs:
    """The open jobs, by id.

    Parameters
    ----------
    find : callable
        Returns a job by its id.
    send : callable
        Sends a message to the panel.
    """

    def __init__(self, find: Callable[[int], Job], send: Callable[[_Message], None]) -> None:
        self._find = find
        self._send = send
        self._lock = threading.Lock()
        self._sends = threading.Lock()  # only one thread at a time follows a log
        self._opened: dict[int, _Opened] = {}

    def keep(self, wanted: Iterable[int], again: int | None = None) -> None:
        """Follow exactly these jobs; the log of job `again` is sent again from the beginning of the shown part."""
        with self._lock:
            ids = set(wanted)
            self._opened = {key: one for key, one in self._opened.items() if key in ids and key != again}
            for key in ids - self._opened.keys():
                with contextlib.suppress(BackgroundJobError):  # it is gone
                    self._opened[key] = _Opened(self._find(key))

    def changed(self, delta: _Message) -> None:
        """Note which jobs have changed."""
        ids = {row[0] for row in delta.get("rows", [])}
        for key, one in self._now():
            one.stale = one.stale or key in ids or "lost" in delta

    def send(self) -> bool:
        """Send the news; return whether more may come soon."""
        with self._sends:
            for key, one in self._now():
                with contextlib.suppress(BackgroundJobError):  # it is gone, or the store is busy: retried
                    if self._opened.get(key) is one:  # not opened again in the meantime
                        self._send_one(one)
        return any(one.live for _, one in self._now())

    def _now(self) -> list[tuple[int, _Opened]]:
        with self._lock:
            return list(self._opened.items())

    def _send_one(self, one: _Opened) -> None:
        if one.stale:
            one.stale = False
            try:
                one.live = not one.job.state.ended
                self._send({"kind": "detail", **details.detail(one.job)})
            except BackgroundJobError:
                one.stale = True
                raise
        folder = attempt_folders.newest(one.job.state_folder, one.job.attempts)
        if folder is not None and (one.tail is None or one.tail.folder != folder):
            one.tail = Tail(folder)
        more = one.tail.more() if one.tail is not None else None
        if more is not None:
            self._send({"kind": "log", "job": one.job.id, **more})
