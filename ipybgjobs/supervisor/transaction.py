"""Run a transaction of the supervisor that runs only its statements: the rows it reads are parsed before it begins.

If a row is not parsed yet, the transaction is rolled back, the row parsed, and the transaction repeated; after many repetitions
rows are parsed within it, so that it ends whatever others write in the meantime. It decides nothing.
"""

from collections.abc import Callable
from typing import TypeVar

from ..model.records import Owner
from ..store.database import Database
from ..store.row_cache import Readings, Unparsed, at_once
from ..store.schedule import Schedule
from ..store.transitions import Transitions

Made = TypeVar("Made")

#: Number of tries of a transaction before rows are parsed within it.
_MOST = 100


class Transactions:
    """Runs transactions.

    Parameters
    ----------
    database : Database
        The store.
    owner : Owner
        Owner of the supervisor.
    """

    def __init__(self, database: Database, owner: Owner) -> None:
        self._database = database
        self._owner = owner
        self._readings = Readings()

    def make(self, now: float, act: Callable[[Transitions, Schedule], Made]) -> Made:
        """Run one transaction.

        Parameters
        ----------
        now : float
            Seconds since the epoch.
        act : callable
            Executes the statements; called again from the start if it meets a row that is not parsed.

        Returns
        -------
        object
            The value that `act` returned in the committed transaction.

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
