"""Whoever looks at work that waits or runs sees to a supervisor, and hears what keeps the one that is there from working.

Clients look for themselves: a supervisor that is stopped, or that can't write, can't say so. Where none runs, whoever looks also
takes over what places have left that are gone. It changes no job otherwise, and reads no row of one.
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
from ...system import identity, limits, lock, place, shield

#: Seconds between two looks.
PAUSE = 1.0

#: Seconds that a supervisor may be late before it is said to hang: a machine may be busy.
LATE = 3.0


class Presence:
    """What this process has seen of the supervisors of its state folders; any thread may ask.

    Parameters
    ----------
    tell : callable
        Told what was taken over, a sentence for each place.
    clock : callable
        The monotonic clock, in seconds.
    """

    def __init__(self, tell: Callable[[str], None] = lambda _: None, clock: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self._looks: dict[str, float] = {}  # the last look, by state folder

    def see_to(self, folder: StateFolder, open_database: Callable[[], Database]) -> None:
        """See to it that a supervisor of this place runs where there is work; at most once a second, and never an error.

        Parameters
        ----------
        folder : StateFolder
            The state folder.
        open_database : callable
            Opens its store; called only where none runs.
        """
        now = self._clock()
        if now < self._looks.get(folder.path, now - PAUSE) + PAUSE:
            return
        self._looks[folder.path] = now  # threads that come at the same moment look twice, which harms nothing
        shield.run(lambda: self._see_to(folder, open_database))  # it takes locks that nobody may keep

    def _see_to(self, folder: StateFolder, open_database: Callable[[], Database]) -> None:
        with contextlib.suppress(OSError, StoreError):  # a full disk, a folder that is gone: whoever only looks is told elsewhere
            if lock.is_held(folder.supervisor_lock(place.here())):
                return
            database = open_database()
            self.take_over(folder, database)
            if queries.has_work(database, place.here()):
                wake.summon(folder)

    def take_over(self, folder: StateFolder, database: Database) -> None:
        """Go on with what places have left that are gone; where the disk is full, say, a supervisor does it later."""
        with contextlib.suppress(StoreError):
            for text in takeover.take_over(folder, database, Owner(place.here(), identity.host())).said:
                self._tell(f"{text}.")


def trouble(folder: StateFolder) -> str | None:
    """Say who keeps work from going on without being able to say so: a supervisor, or a client, that is stopped or hangs.

    Parameters
    ----------
    folder : StateFolder
        The state folder.

    Returns
    -------
    str or None
        One sentence that names the process and the fix; None where nothing is found.
    """
    return shield.run(lambda: _trouble(folder))  # what it opens an interrupt would leave open


def _trouble(folder: StateFolder) -> str | None:
    signed = lock.signature(folder.supervisor_lock(place.here()))
    if signed is not None and identity.is_stopped(signed.pid):
        fix = f"continue it (kill -CONT {signed.pid}), or end it and another starts (kill -KILL {signed.pid})"
        return f"the supervisor (PID {signed.pid}) is stopped: {fix}"
    late = 0.0 if signed is None or signed.due is None else time.monotonic() - signed.due
    if signed is None or late < LATE:
        return lock_holder.writer(folder.database)
    if lock_holder.pid(folder.database) not in (None, signed.pid):  # it waits, for one that others don't see wait
        return lock_holder.writer(folder.database, only_stopped=False)
    since = time.strftime("%H:%M:%S", time.localtime(time.time() - late))
    return (
        f"the supervisor (PID {signed.pid}) has not been heard of since {since}, and may hang; "
        f"if that goes on, end it and another starts (kill -KILL {signed.pid})"
    )


def notices(database: Database, folder: StateFolder) -> Notices:
    """Return what keeps this place's jobs from going on: what is seen from here, or what its supervisor has said."""
    here = trouble(folder)
    heard = supervisors.heard_of(database, place.here())
    return Notices(here) if here is not None or heard is None else heard.notices


def withheld(folder: StateFolder) -> list[str]:
    """Say what of this process's limits and niceness the supervisor that runs can't give to a job; nothing where none runs."""
    pid = lock.holder(folder.supervisor_lock(place.here()))
    return [] if pid is None else limits.out_of_reach(limits.current(), pid)
