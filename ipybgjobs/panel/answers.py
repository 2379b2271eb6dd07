"""What a panel has asked for and takes time: done in a few threads, however much it asks; the rest waits its turn."""

import threading
from collections import deque
from collections.abc import Callable

#: Threads of one panel at most: more cancels, say, than a person presses while the first is still waited for.
MOST = 16

#: Seconds after which a thread that has nothing to do ends.
_IDLE = 5.0


class Answers:
    """The threads of one panel; none is there while nothing is asked, and they keep no process from ending."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._given = threading.Condition()
        self._threads = self._free = 0

    def give(self, do: Callable[[], None]) -> None:
        """Do something as soon as a thread is free."""
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
        """Wait for something to do; None, and the thread no longer counts, where nothing comes."""
        with self._given:
            if not self._waiting:
                self._free += 1
                self._given.wait(_IDLE)
                self._free -= 1
            if self._waiting:
                return self._waiting.popleft()
            self._threads -= 1
            return None
