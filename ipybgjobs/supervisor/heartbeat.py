"""Promise when a supervisor will next report: written into its lock, so that others can tell when it hangs.

It wakes no process, and writes at most once every few seconds: a waiting supervisor never waits longer than that anyway.
"""

import math
import time
from collections.abc import Callable

from ..system.lock import FileLock

#: Seconds that starting or shutting down may take: an older store is migrated, running attempts are found again.
LONGEST_STEP = 60.0

#: Shortest promise in seconds, so that a busy supervisor rarely writes one.
_SHORTEST = 5.0


class Heartbeat:
    """The promises of one supervisor.

    Parameters
    ----------
    lock : FileLock
        The supervisor's lock.
    clock : callable
        The monotonic clock, in seconds.
    """

    def __init__(self, lock: FileLock, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = lock
        self._clock = clock
        self._due = -math.inf

    def promise(self, seconds: float) -> None:
        """Promise to report again within a number of seconds."""
        now = self._clock()
        longest = now + max(seconds, _SHORTEST)
        if not now + seconds <= self._due <= longest:
            self._due = longest
            self._lock.write_holder(self._due)
