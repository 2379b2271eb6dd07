"""Check whether other places are gone: at the start, and every few seconds while one of them has work."""

import time

from ..model.records import Owner
from ..state.folder import StateFolder
from ..store import takeover
from ..store.database import Database

#: Seconds between two checks while another place has work.
_PAUSE = 2.0


class PlaceTakeover:
    """Takes over the jobs of places that are gone, in one state folder.

    Parameters
    ----------
    folder : StateFolder
        The state folder.
    database : Database
        Its store.
    owner : Owner
        Owner of this supervisor.
    """

    def __init__(self, folder: StateFolder, database: Database, owner: Owner) -> None:
        self._folder = folder
        self._database = database
        self._owner = owner
        self._due: float | None = 0.0  # on the monotonic clock; None: no other place has work
        self._last: takeover.TakeoverResult | None = None

    @property
    def waiting(self) -> bool:
        """Return whether a process is still alive in a place that is otherwise gone: its end is awaited."""
        return self._last is not None and self._last.has_survivors

    def wait(self) -> float | None:
        """Return the seconds until the next check; None if none is needed."""
        return None if self._due is None else max(0.0, self._due - time.monotonic())

    def recheck(self) -> None:
        """Check again, since the store has changed: another place may have work now."""
        if self._due is None:
            self._due = time.monotonic() + _PAUSE

    def step(self) -> tuple[str, ...]:
        """Take over jobs if it is time, and return lines for the log.

        Raises
        ------
        StoreError
            If the store refuses; it is retried at the next check.
        """
        if self.wait() != 0.0:
            return ()
        first = self._last is None
        self._due = time.monotonic() + _PAUSE
        self._last = takeover.take_over(self._folder, self._database, self._owner, idle=first)
        if not self._last.others:
            self._due = None
        return self._last.messages
