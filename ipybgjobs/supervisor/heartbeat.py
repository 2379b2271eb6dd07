"""By when a supervisor is to be heard of again: written into its lock, so that whoever looks sees one that hangs.

It wakes nobody, and writes at most once in a few seconds: while the supervisor waits, it waits no longer than that anyway.
"""

import math
import time
from collections.abc import Callable

from ..system.lock import FileLock

#: Seconds that a start, or an end, may take: what a store of an older version holds is migrated, what runs is found again.
LONGEST_STEP = 60.0

#: Seconds that a promise holds at least, so that a supervisor with much to do seldom writes one.
_SHORTEST = 5.0


class Pulse:
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
        """Be heard of again in so many seconds at the latest."""
        now = self._clock()
        longest = now + max(seconds, _SHORTEST)
        if not now + seconds <= self._due <= longest:
            self._due = longest
            self._lock.sign(self._due)
