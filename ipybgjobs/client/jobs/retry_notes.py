"""Tell a user who waits for several jobs that some of them wait for a retry: why, and when it is.

It prints a line at the first such wait, and another once the announced time has passed, but not often; it changes nothing.
"""

import time
from collections.abc import Callable

from ...model.records import RetryingJobs

#: Least number of seconds between two lines.
_QUIET = 10.0


class RetryNotes:
    """The lines that are printed during one wait.

    Parameters
    ----------
    find : callable
        Returns the retrying jobs among those that are waited for; None if there are none.
    head : str
        Begins each line.
    """

    def __init__(self, find: Callable[[], RetryingJobs | None], head: str = "") -> None:
        self._find = find
        self._head = head
        self._silent_until = 0.0

    def look(self) -> None:
        """Print a line if there is something new to say."""
        now = time.time()
        if now < self._silent_until:
            return
        found = self._find()
        if found is not None:
            self._silent_until = max(found.not_before, now + _QUIET)
            jobs = "1 job is" if found.count == 1 else f"{found.count:,} jobs are"
            print(f"{self._head}{jobs} retrying, {found.line()}")  # noqa: T201 - documented in `wait` and `results`
