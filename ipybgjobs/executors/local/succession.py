"""Who follows a supervisor that has died: its fork server starts one, and looks again until one holds the lock."""

import contextlib
import time
from collections.abc import Callable

from ...errors import StoreError
from ...state import wake
from ...state.folder import StateFolder

#: Seconds: a supervisor that dies younger than the one is followed after the other.
_YOUNG, _PAUSE = 2.0, 1.0

#: Seconds between two looks; between two starts, the first and the longest; starts after which nobody is waited for.
_LOOK, _FIRST, _LONGEST, _STARTS = 0.2, 2.0, 60.0, 8


class Succession:
    """Sees to a supervisor after another.

    Parameters
    ----------
    folder : StateFolder
        The state folder.
    dead : int
        PID of the supervisor that is followed, once it is dead.
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
        self.open = False  #: whether nobody follows yet

    def begin(self) -> None:
        """The supervisor is dead."""
        now = self._clock()
        self.open, self._due = True, now + _PAUSE if now < self._began + _YOUNG else now

    def patience(self) -> int | None:
        """Milliseconds until the next look; None where none is due."""
        if not self.open or self._due is None:
            return None
        return max(0, int(min(_LOOK, self._due - self._clock()) * 1000) + 1)

    def step(self) -> None:
        """Do what is due."""
        if not self.open or self._due is None:
            return
        if wake.is_succeeded(self._folder, self._dead):
            self.open = False
        elif self._clock() >= self._due:
            self._start()

    def _start(self) -> None:
        if self._starts == _STARTS:  # the next look at the work starts one
            self.open = False
            return
        with contextlib.suppress(OSError, StoreError):  # no process to be had, a full disk, another user's folder: tried again
            wake.succeed(self._folder, self._dead)
        self._due = self._clock() + min(_LONGEST, _FIRST * 2**self._starts)
        self._starts += 1
