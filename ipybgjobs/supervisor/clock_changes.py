"""Notice when the clock is set, and move the times of delays and deadlines in the store with it."""

from collections.abc import Callable

from ..model.records import Owner
from ..store.database import Database
from ..store.schedule import Schedule

#: A larger step of the clock, in seconds, moves delays and deadlines with it.
_STEP = 2.0


class Timing:
    """Compares the clock that can be set with the one that can't.

    Parameters
    ----------
    database : Database
        The store.
    owner : Owner
        Owner of the jobs.
    clock : callable
        Seconds since the epoch.
    since_boot : callable
        Seconds since the machine booted, including sleep.
    """

    def __init__(self, database: Database, owner: Owner, clock: Callable[[], float], since_boot: Callable[[], float]) -> None:
        self._database = database
        self._owner = owner
        self._clock = clock
        self._since_boot = since_boot
        self._booted_at: float | None = None  # by the clock of the store's times; None: not read yet

    def follow(self) -> bool:
        """Move the times in the store if the clock was set; return whether cached times have to be looked up again.

        Raises
        ------
        StoreError
            If the store refuses; it is retried at the next call.
        """
        booted_at = self._clock() - self._since_boot()
        if self._booted_at is not None and abs(booted_at - self._booted_at) < _STEP:
            return False
        with self._database.reading() as connection:
            set_since = Schedule(connection, self._owner, self._clock()).has_other_clock(booted_at, _STEP)
        if set_since:
            with self._database.transaction() as connection:
                Schedule(connection, self._owner, self._clock()).follow_clock(booted_at, _STEP)
        self._booted_at = booted_at
        return True

    def give(self, queues: Schedule) -> None:
        """Assign the current clock, in a transaction, to jobs whose times are from another boot."""
        if self._booted_at is not None:
            queues.adopt_clock(self._booted_at)
