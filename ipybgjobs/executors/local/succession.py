"""Replace a supervisor that has died: its fork server starts a new one, and repeats that until one holds the lock."""

import contextlib
import time
from collections.abc import Callable

from ...errors import StoreError
from ...state import wake
from ...state.folder import StateFolder

#: Seconds: a supervisor that dies younger than the first is replaced only after the second.
_YOUNG, _PAUSE = 2.0, 1.0

#: Seconds between two checks; between two starts, the first and the longest; number of starts after which to stop waiting.
_LOOK, _FIRST, _LONGEST, _STARTS = 0.2, 2.0, 60.0, 8


class Succession:
    """Ensures that another supervisor takes over.

    Parameters
    ----------
    folder : StateFolder
        The state folder.
    dead : int
        PID of the supervisor to replace, once it is dead.
    clock : callable
        The monotonic clock, in seconds.
    """

    def __init__(self, folder: StateFolder, dead: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._dead = dead
        self._clock = clock
        self._began = clock()
        self._starts = 0
        self._due: float | None = None
        self.open = False  #: whether a successor is still to be found

    def begin(self) -> None:
        """Begin the succession: the supervisor is dead."""
        now = self._clock()
        self.open, self._due = True, now + _PAUSE if now < self._began + _YOUNG else now

    def milliseconds_until_due(self) -> int | None:
        """Return the milliseconds until the next check; None if none is due."""
        if not self.open or self._due is None:
            return None
        return max(0, int(min(_LOOK, self._due - self._clock()) * 1000) + 1)

    def step(self) -> None:
        """Do what is due now."""
        if not self.open or self._due is None:
            return
        if wake.has_successor(self._folder, self._dead):
            self.open = False
        elif self._clock() >= self._due:
            self._start()

    def _start(self) -> None:
        if self._starts == _STARTS:  # the next process that checks the work will start one
            self.open = False
            return
        with contextlib.suppress(OSError, StoreError):  # process limit reached, disk full, another user's folder: retried
            wake.start_successor(self._folder, self._dead)
        self._due = self._clock() + min(_LONGEST, _FIRST * 2**self._starts)
        self._starts += 1
