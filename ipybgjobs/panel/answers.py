"""Carry out a panel's slow requests in a few threads, however many there are; the rest wait their turn."""

import threading
from collections import deque
from collections.abc import Callable

#: Largest number of threads of one panel: more than the cancels, for example, that a user clicks while the first is pending.
MOST = 16

#: Seconds after which an idle thread ends.
_IDLE = 5.0


class BackgroundTasks:
    """The threads of one panel; there are none while nothing is requested, and they never keep the process from exiting."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._given = threading.Condition()
        self._threads = self._free = 0

    def submit(self, do: Callable[[], None]) -> None:
        """Call a function as soon as a thread is free."""
        with self._given:
            self._waiting.append(do)
            if self._free >= len(self._waiting):
                self._given.notify()
            elif self._threads < MOST:
                self._threads += 1
                threading.Thread(target=self._work, name="ipybgjobs-panel-answer", daemon=True).start()

    def _work(self) -> None:
        while (do := self._next()) is not None:
            try:
                do()
            except BaseException:
                with self._given:
                    self._threads -= 1
                raise

    def _next(self) -> Callable[[], None] | None:
        """Wait for a request; None if none arrives, and then the thread is no longer counted."""
        with self._given:
            if not self._waiting:
                self._free += 1
                self._given.wait(_IDLE)
                self._free -= 1
            if self._waiting:
                return self._waiting.popleft()
            self._threads -= 1
            return None
