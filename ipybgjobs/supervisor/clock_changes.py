"""Whether somebody has set the clock: then the times of delays and deadlines in the store are to be moved with it."""

from collections.abc import Callable

from ..model.records import Owner
from ..store.database import Database
from ..store.schedule import Schedule

#: A step of the clock that is larger, in seconds, moves delays and deadlines with it.
_STEP = 2.0


class Timing:
    """Compares the clock that people set with the one that nobody sets.

    Parameters
    ----------
    database : Database
        The store.
    owner : Owner
        Whose jobs are looked after.
    clock : callable
        Seconds since the epoch.
    since_boot : callable
        Seconds since the machine booted, its sleep counted.
    """

    def __init__(self, database: Database, owner: Owner, clock: Callable[[], float], since_boot: Callable[[], float]) -> None:
        self._database = database
        self._owner = owner
        self._clock = clock
        self._since_boot = since_boot
        self._booted_at: float | None = None  # by the clock that the store's times are of; None: not looked at yet

    def follow(self) -> bool:
        """Move the times in the store where the clock was set; whether times in hand are to be looked up anew.

        Raises
        ------
        StoreError
            If the store refuses; it is retried at the next call.
        """
        booted_at = self._clock() - self._since_boot()
        if self._booted_at is not None and abs(booted_at - self._booted_at) < _STEP:
            return False
        with self._database.looking() as connection:
            set_since = Schedule(connection, self._owner, self._clock()).is_of_another_clock(booted_at, _STEP)
        if set_since:
            with self._database.transaction() as connection:
                Schedule(connection, self._owner, self._clock()).follow_clock(booted_at, _STEP)
        self._booted_at = booted_at
        return True

    def give(self, queues: Schedule) -> None:
        """Give the clock, in a transaction, to jobs whose times are of another boot's."""
        if self._booted_at is not None:
            queues.give_clock(self._booted_at)
