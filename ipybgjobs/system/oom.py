"""The kernel's count of out-of-memory kills. Linux: ``/proc/vmstat``; elsewhere there is no count, and nothing is reported."""

import math
import time

#: Seconds for which a count is recent enough to start from.
_FRESH = 1.0


class OomKills:
    """The number of processes that the OOM killer has killed since boot; None if the kernel does not report it."""

    def __init__(self) -> None:
        self._asked_at = -math.inf
        self._count: int | None = None

    def recent_count(self) -> int | None:
        """Return the count, at most a second old."""
        if time.monotonic() - self._asked_at >= _FRESH:
            self.count()
        return self._count

    def count(self) -> int | None:
        """Return the current count."""
        self._asked_at, self._count = time.monotonic(), _read()
        return self._count


def _read() -> int | None:
    try:
        with open("/proc/vmstat", encoding="ascii") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("oom_kill ")), None)
    except OSError:
        return None
