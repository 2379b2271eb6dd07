"""Make sure that a supervisor runs whenever jobs are read, and report what keeps the present one from working.

Clients check for themselves: a supervisor that is stopped, or that can't write, can't report it. If none runs, this also takes
over the jobs of places that are gone. It never changes a job otherwise, and never reads a job's row.
"""

import contextlib
import time
from collections.abc import Callable

from ...errors import StoreError
from ...model.records import Owner
from ...state import wake
from ...state.folder import StateFolder
from ...store import lock_holder, queries, supervisors, takeover
from ...store.database import Database
from ...store.notices import Notices
from ...system import identity, interrupt_shield, limits, lock, place

#: Seconds between two checks.
PAUSE = 1.0

#: Seconds that a supervisor may be late before it is reported as hanging: a machine may be busy.
LATE = 3.0


class SupervisorMonitor:
    """What this process knows about the supervisors of its state folders; any thread may use it.

    Parameters
    ----------
    tell : callable
        Receives a sentence for each place whose jobs were taken over.
    clock : callable
        The monotonic clock, in seconds.
    """

    def __init__(self, tell: Callable[[str], None] = lambda _: None, clock: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self._looks: dict[str, float] = {}  # time of the last check, by state folder

    def ensure_supervisor(self, folder: StateFolder, open_database: Callable[[], Database]) -> None:
        """Make sure that a supervisor of this place runs if there is work; checks at most once a second, and never raises.

        Parameters
        ----------
        folder : StateFolder
            The state folder.
        open_database : callable
            Opens its store; called only if no supervisor runs.
        """
        now = self._clock()
        if now < self._looks.get(folder.path, now - PAUSE) + PAUSE:
            return
        self._looks[folder.path] = now  # threads that call at the same moment check twice, which is harmless
        interrupt_shield.run(lambda: self._ensure_supervisor(folder, open_database))  # it takes locks that must not stay held

    def _ensure_supervisor(self, folder: StateFolder, open_database: Callable[[], Database]) -> None:
        with contextlib.suppress(OSError, StoreError):  # a full disk, a missing folder: reported elsewhere
            if lock.is_held(folder.supervisor_lock(place.here())):
                return
            database = open_database()
            self.take_over(folder, database)
            if queries.has_work(database, place.here()):
                wake.wake_or_start(folder)

    def take_over(self, folder: StateFolder, database: Database) -> None:
        """Take over the jobs of places that are gone; if that fails, for example on a full disk, a supervisor does it later."""
        with contextlib.suppress(StoreError):
            for text in takeover.take_over(folder, database, Owner(place.here(), identity.host())).messages:
                self._tell(f"{text}.")


def trouble(folder: StateFolder) -> str | None:
    """Name a process that blocks work and can't report it: a supervisor or client that is stopped or hangs.

    Parameters
    ----------
    folder : StateFolder
        The state folder.

    Returns
    -------
    str or None
        One sentence that names the process and the fix; None if none is found.
    """
    return interrupt_shield.run(lambda: _trouble(folder))  # otherwise an interrupt could leave open what it opens


def _trouble(folder: StateFolder) -> str | None:
    signed = lock.read_holder(folder.supervisor_lock(place.here()))
    if signed is not None and identity.is_stopped(signed.pid):
        fix = f"continue it (kill -CONT {signed.pid}), or kill it so that another starts (kill -KILL {signed.pid})"
        return f"the supervisor (PID {signed.pid}) is stopped: {fix}"
    late = 0.0 if signed is None or signed.due is None else time.monotonic() - signed.due
    if signed is None or late < LATE:
        return lock_holder.writer(folder.database)
    if lock_holder.pid(folder.database) not in (None, signed.pid):  # it is waiting for a process that others don't see
        return lock_holder.writer(folder.database, only_stopped=False)
    since = time.strftime("%H:%M:%S", time.localtime(time.time() - late))
    return (
        f"the supervisor (PID {signed.pid}) has not been heard from since {since}, and may hang; "
        f"if that continues, kill it so that another starts (kill -KILL {signed.pid})"
    )


def notices(database: Database, folder: StateFolder) -> Notices:
    """Return what keeps this place's jobs from continuing: as seen from here, or as reported by its supervisor."""
    here = trouble(folder)
    heard = supervisors.read(database, place.here())
    return Notices(here) if here is not None or heard is None else heard.notices


def withheld(folder: StateFolder) -> list[str]:
    """Return which of this process's limits and niceness the running supervisor can't grant to a job; empty if none runs."""
    pid = lock.holder_pid(folder.supervisor_lock(place.here()))
    return [] if pid is None else limits.out_of_reach(limits.current(), pid)
