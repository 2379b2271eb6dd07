"""End the processes that an attempt left, without ever waiting: if they have a grace period, they are first asked to terminate.

The search is repeated until none is found.
"""

import time
from collections.abc import Callable

from ...system import tree
from ...system.identity import ProcessState

#: Seconds within which killed processes must be gone.
LONGEST = 1.0


class Sweep:
    """Ends the processes of one attempt whose worker is gone.

    Parameters
    ----------
    look : callable
        Returns the processes that have to end and are still alive.
    grace : float
        Seconds that they have after they are asked to terminate; 0: they are killed at once.
    clock : callable
        The monotonic clock, in seconds.
    """

    def __init__(self, look: Callable[[], list[ProcessState]], grace: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._look = look
        self._clock = clock
        self._kill_from = clock() + grace
        self._known: list[ProcessState] = []
        self._asked: set[int] = set()
        self.survivors: list[int] = []  #: PIDs of processes that could not be killed

    def step(self) -> bool:
        """Take the steps that are due; return whether nothing more can be done."""
        self._known = [state for state in self._known if tree.same(state)] or self._look()
        if not self._known:
            return True
        now = self._clock()
        if now < self._kill_from:
            self._ask()
        elif now < self._kill_from + LONGEST:
            tree.kill_all(self._known)
        else:
            self.survivors = [state.pid for state in self._known]
            return True
        return False

    def _ask(self) -> None:
        tree.terminate(state for state in self._known if state.pid not in self._asked)
        self._asked.update(state.pid for state in self._known)
