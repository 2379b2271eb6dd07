"""Write a file at most a few times a second, however often its content changes; the last change is written too.

Workers load it, so it imports next to nothing.
"""

import contextlib
import os
import time
from _thread import RLock, start_new_thread  # threading itself is slow to import
from collections.abc import Callable
from typing import Any

from ..system import private_file

#: Seconds between two writes.
INTERVAL = 0.25


class ThrottledFile:
    """A JSON file of an attempt whose content changes often; used by any thread of the job's process, but by no fork of it.

    Parameters
    ----------
    folder : str
        The attempt folder.
    name : str
        The file in it.
    content : callable
        Returns what is to be written; called while nothing changes it.
    clock : callable
        The monotonic clock.
    """

    def __init__(
        self, folder: str, name: str, content: Callable[[], dict[str, Any]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder, self._name = folder, name
        self._content = content
        self._clock = clock
        self._pid = os.getpid()
        self.lock = RLock()  #: held while the content changes; by a signal handler too, perhaps within the same
        self.pending = False  #: whether it has changed, or is about to: set first, so that no interrupt can lose it
        self._written_at = -INTERVAL
        self._late = False  # whether a thread is about to write

    def is_own(self) -> bool:
        """Return whether this process writes it: a fork has its memory, and must not."""
        return os.getpid() == self._pid

    def flush(self) -> None:
        """Write what has changed since the last write; on a full disk nothing is written, and the job continues."""
        if not self.is_own():
            return
        with self.lock:
            if not self.pending:
                return
            self._written_at = self._clock()
            with contextlib.suppress(OSError, TypeError, ValueError):  # or JSON has no such value
                private_file.write_json(self._folder, self._name, self._content())
                self.pending = False

    def write_soon(self) -> None:
        """Write now if it is time, or else a little later."""
        if self._clock() - self._written_at >= INTERVAL:
            self.flush()
        elif not self._late:
            self._late = True
            try:
                start_new_thread(self._write_late, ())
            except RuntimeError:  # no thread available, or the interpreter is ending
                self._late = False

    def _write_late(self) -> None:
        time.sleep(INTERVAL)
        self._late = False
        self.flush()
