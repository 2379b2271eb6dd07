"""What the kernel counts of memory that ran out. Linux: ``/proc/vmstat``; elsewhere nobody counts, and nothing is said."""

import math
import time

#: Seconds for which a count is good enough to begin with.
_FRESH = 1.0


class Kills:
    """How many processes the kernel has killed for want of memory since it booted; None where it doesn't say."""

    def __init__(self) -> None:
        self._asked_at = -math.inf
        self._count: int | None = None

    def lately(self) -> int | None:
        """The count, at most a second old."""
        if time.monotonic() - self._asked_at >= _FRESH:
            self.now()
        return self._count

    def now(self) -> int | None:
        """The count."""
        self._asked_at, self._count = time.monotonic(), _read()
        return self._count


def _read() -> int | None:
    try:
        with open("/proc/vmstat", encoding="ascii") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("oom_kill ")), None)
    except OSError:
        return None
