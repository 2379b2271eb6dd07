"""When to look whether other places are gone: at the start, and every few seconds while one of them has work."""

import time

from .. import inheriting
from ..folder import StateFolder
from ..models import Owner
from ..store.database import Database

#: Seconds between two looks while another place has work.
_PAUSE = 2.0


class Heir:
    """Takes over what is nobody's any more, in one state folder.

    Parameters
    ----------
    folder : StateFolder
        The state folder.
    database : Database
        Its store.
    owner : Owner
        Whose supervisor this is.
    """

    def __init__(self, folder: StateFolder, database: Database, owner: Owner) -> None:
        self._folder = folder
        self._database = database
        self._owner = owner
        self._due: float | None = 0.0  # on the monotonic clock; None: no other place has work
        self._last: inheriting.Look | None = None

    @property
    def waiting(self) -> bool:
        """Return whether a process lives on in a place that is gone otherwise: its end is waited for."""
        return self._last is not None and self._last.outlived

    def wait(self) -> float | None:
        """Seconds until the next look; None where nothing calls for one."""
        return None if self._due is None else max(0.0, self._due - time.monotonic())

    def look_again(self) -> None:
        """The store has changed: another place may have work now."""
        if self._due is None:
            self._due = time.monotonic() + _PAUSE

    def step(self) -> tuple[str, ...]:
        """Take over what is due, and return what is to be said.

        Raises
        ------
        StoreError
            If the store refuses; it is retried at the next look.
        """
        if self.wait() != 0.0:
            return ()
        first = self._last is None
        self._due = time.monotonic() + _PAUSE
        self._last = inheriting.take_over(self._folder, self._database, self._owner, idle=first)
        if not self._last.others:
            self._due = None
        return self._last.said
