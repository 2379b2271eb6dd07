"""A transaction of the supervisor that does nothing but its statements: what it has to read is parsed before it begins.

A row that turns out not to be parsed yet is parsed with the transaction rolled back, which then is made anew; after many times
rows are parsed within it, so that it ends whatever others write meanwhile. It decides nothing.
"""

from collections.abc import Callable
from typing import TypeVar

from ..model.records import Owner
from ..store.database import Database
from ..store.row_cache import Readings, Unparsed, at_once
from ..store.schedule import Schedule
from ..store.transitions import Transitions

Made = TypeVar("Made")

#: How often a transaction is made before rows are parsed within it.
_MOST = 100


class Transactions:
    """Makes them.

    Parameters
    ----------
    database : Database
        The store.
    owner : Owner
        Whose supervisor decides.
    """

    def __init__(self, database: Database, owner: Owner) -> None:
        self._database = database
        self._owner = owner
        self._readings = Readings()

    def make(self, now: float, act: Callable[[Transitions, Schedule], Made]) -> Made:
        """Make one.

        Parameters
        ----------
        now : float
            Seconds since the epoch.
        act : callable
            Executes the statements; called again from the start where it meets a row that is not parsed.

        Returns
        -------
        object
            What `act` returned in the transaction that was committed.

        Raises
        ------
        StoreError
            If SQLite refuses; nothing was changed.
        """
        number = 0
        while True:
            number += 1
            read = self._readings if number < _MOST else at_once
            try:
                with self._database.transaction() as connection:
                    made = act(Transitions(connection, self._owner, now), Schedule(connection, self._owner, now, read))
            except Unparsed as unparsed:
                self._readings.learn(unparsed)
            else:
                self._readings.forget()
                return made
