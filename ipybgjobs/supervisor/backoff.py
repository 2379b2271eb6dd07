"""How long launches wait after one that could not be made: a second, two, four … a minute; the first that works ends it."""

import time
from collections.abc import Callable

#: Seconds: the first pause, the longest.
FIRST, LONGEST = 1.0, 60.0


def pause(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row."""
    return 0.0 if failures <= 0 else float(min(LONGEST, FIRST * 2 ** min(failures - 1, 10)))


class Backoff:
    """What keeps every launch from being made, and until when.

    Parameters
    ----------
    clock : callable
        The monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._again_at = 0.0
        self.reason: str | None = None  #: why the last launch could not be made; None: it could

    def failed(self, reason: str) -> None:
        """A launch could not be made; several that fail within one pause count once."""
        if not self.waits:
            self._failures += 1
            self._again_at = self._clock() + pause(self._failures)
        self.reason = reason

    def worked(self) -> None:
        """A launch was made."""
        self._failures, self._again_at, self.reason = 0, 0.0, None

    @property
    def waits(self) -> bool:
        """Return whether nothing is to be launched now."""
        return self._clock() < self._again_at

    @property
    def left(self) -> float | None:
        """Seconds until launches are tried again; None where none is held back."""
        return max(0.0, self._again_at - self._clock()) if self.waits else None
