"""Whoever looks at work that waits or runs sees to a supervisor, and hears what keeps the one that is there from working.

Clients look for themselves: a supervisor that is stopped, or that can't write, can't say so. It changes no job, and reads no row.
"""

import contextlib
import time
from collections.abc import Callable

from . import durations, summon, unbroken
from .errors import StoreError
from .folder import StateFolder
from .process import identity, lock, place
from .store import holder, records
from .store.database import Database
from .store.notices import Notices

#: Seconds between two looks.
PAUSE = 1.0

#: Seconds after which a supervisor that has running attempts, and writes twice a minute, may hang.
SILENT = 75.0


class Presence:
    """What this process has seen of the supervisors of its state folders; any thread may ask.

    Parameters
    ----------
    clock : callable
        The monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looks: dict[str, float] = {}  # the last look, by state folder

    def see_to(self, folder: StateFolder, has_work: Callable[[], bool]) -> None:
        """See to it that a supervisor of this place runs; at most once a second, and never an error.

        Parameters
        ----------
        folder : StateFolder
            The state folder.
        has_work : callable
            Whether there is work for it; asked only where none runs.
        """
        now = self._clock()
        if now < self._looks.get(folder.path, now - PAUSE) + PAUSE:
            return
        self._looks[folder.path] = now  # threads that come at the same moment look twice, which harms nothing
        unbroken.run(lambda: _see_to(folder, has_work))  # it takes locks that nobody may keep


def _see_to(folder: StateFolder, has_work: Callable[[], bool]) -> None:
    with contextlib.suppress(OSError, StoreError):  # a full disk, a folder that is gone: whoever only looks is told elsewhere
        if not lock.is_held(folder.supervisor_lock(place.here())) and has_work():
            summon.summon(folder)


def trouble(folder: StateFolder) -> str | None:
    """Say who keeps work from going on without being able to say so: a supervisor, or a client, that is stopped.

    Parameters
    ----------
    folder : StateFolder
        The state folder.

    Returns
    -------
    str or None
        One sentence that names the process and the fix; None where nothing is found.
    """
    pid = lock.holder(folder.supervisor_lock(place.here()))
    if pid is not None and identity.is_stopped(pid):
        fix = f"continue it (kill -CONT {pid}), or end it and another starts (kill -KILL {pid})"
        return f"the supervisor (PID {pid}) is stopped: {fix}"
    return holder.writer(folder.database)


def notices(database: Database, folder: StateFolder, clock: Callable[[], float] = time.monotonic) -> Notices:
    """Return what keeps this place's jobs from going on: what is seen from here, or what its supervisor has said.

    `clock` is the monotonic one, in seconds: a supervisor is not silent for the time that its machine slept.
    """
    here = trouble(folder)
    rows = [row for row in records.supervisors(database) if row["place"] == place.here()]
    if here is not None or not rows:
        return Notices(here)
    heard = rows[0]["heard_monotonic"]
    silent = clock() - heard if isinstance(heard, float) else 0.0
    pid = lock.holder(folder.supervisor_lock(place.here()))
    if silent > SILENT and pid == rows[0]["pid"] and records.is_running(database, place.here()):
        return Notices(
            f"the supervisor (PID {pid}) has not been heard of for {durations.show(silent)}: it may hang; "
            f"end it and another starts (kill -KILL {pid})"
        )
    return Notices.from_text(rows[0]["notice"])
