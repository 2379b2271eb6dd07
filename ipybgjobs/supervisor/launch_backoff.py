"""The pause after a failed launch: one second, two, four … up to a minute; the first launch that works ends it."""

import time
from collections.abc import Callable

#: The first and the longest pause, in seconds.
FIRST, LONGEST = 1.0, 60.0


def pause(failures: int) -> float:
    """Return the seconds to wait after a number of consecutive failures."""
    return 0.0 if failures <= 0 else float(min(LONGEST, FIRST * 2 ** min(failures - 1, 10)))


class Backoff:
    """The reason that keeps all launches from working, and how long to wait.

    Parameters
    ----------
    clock : callable
        The monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._again_at = 0.0
        self.reason: str | None = None  #: why the last launch failed; None if it worked

    def failed(self, reason: str) -> None:
        """Record a failed launch; several failures within one pause count once."""
        if not self.waits:
            self._failures += 1
            self._again_at = self._clock() + pause(self._failures)
        self.reason = reason

    def worked(self) -> None:
        """Record a launch that worked."""
        self._failures, self._again_at, self.reason = 0, 0.0, None

    @property
    def waits(self) -> bool:
        """Return whether launches are paused now."""
        return self._clock() < self._again_at

    @property
    def left(self) -> float | None:
        """Return the seconds until launches are retried; None if they are not paused."""
        return max(0.0, self._again_at - self._clock()) if self.waits else None
