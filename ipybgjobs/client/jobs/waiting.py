"""Wait for jobs to finish: with growing pauses, a limit, and a regular check that a supervisor is running.

It never reads a store itself: its callers pass the check.
"""

import time
from collections.abc import Callable, Iterator

from ...errors import WaitTimeout

#: Seconds between two checks: the first, the longest.
SHORTEST, LONGEST = 0.002, 0.2

#: Seconds between two beats.
_BEAT = 1.0


def pauses(
    ended: Callable[[], bool], timeout: float | None, late: Callable[[], str], beat: Callable[[], None]
) -> Iterator[float]:
    """Yield pauses to sleep until something has finished.

    Parameters
    ----------
    ended : callable
        Returns whether it has finished.
    timeout : float or None
        Seconds; None: no limit.
    late : callable
        Returns the error message if `timeout` expires.
    beat : callable
        Called once a second.

    Raises
    ------
    WaitTimeout
        If `timeout` expires.
    """
    limit = None if timeout is None else time.monotonic() + timeout
    pause, beaten = SHORTEST, time.monotonic()
    while not ended():
        now = time.monotonic()
        if limit is not None and now >= limit:
            raise WaitTimeout(late())
        if now - beaten > _BEAT:
            beaten = now
            beat()
        yield pause if limit is None else max(0.0, min(pause, limit - now))
        pause = min(LONGEST, pause * 1.3)


def wait(ended: Callable[[], bool], timeout: float | None, late: Callable[[], str], beat: Callable[[], None]) -> None:
    """Sleep until something has finished; see `pauses`."""
    for pause in pauses(ended, timeout, late, beat):
        time.sleep(pause)
