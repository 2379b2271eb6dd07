"""Write a file at most a few times a second, however often its content changes; the last change is written too.

Workers load it, so it imports next to nothing.
"""

import time
from _thread import start_new_thread  # threading itself is slow to import
from collections.abc import Callable

#: Seconds between two writes.
INTERVAL = 0.25


class Throttle:
    """The times at which one file is written; used by any thread.

    Parameters
    ----------
    write : callable
        Writes the file, and calls `written` if there was anything to write.
    clock : callable
        The monotonic clock.
    """

    def __init__(self, write: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._clock = clock
        self._written_at = -INTERVAL
        self._late = False  # whether a thread is about to write

    def written(self) -> None:
        """Record that the file is being written now."""
        self._written_at = self._clock()

    def write_soon(self) -> None:
        """Write now if it is time, or else a little later."""
        if self._clock() - self._written_at >= INTERVAL:
            self._write()
        elif not self._late:
            self._late = True
            try:
                start_new_thread(self._write_late, ())
            except RuntimeError:  # no thread available, or the interpreter is ending
                self._late = False

    def _write_late(self) -> None:
        time.sleep(INTERVAL)
        self._late = False
        self._write()
