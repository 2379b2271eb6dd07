"""How long a target usually runs, from its last successful attempts, and when a running attempt is overdue; it reads nothing."""

from collections.abc import Sequence

from msgspec import Struct

from . import durations

#: Number of attempts that count: the newest ones.
RUNS = 5

#: Fewest attempts from which a running one is called overdue.
_FEWEST = 3

#: Shortest usual time that is put into words, in seconds.
_SHORTEST = 1.0

#: How many times as long as the longest of them an attempt must run to be overdue, and by how many seconds longer at least: a job
#: that takes a moment is not overdue because the machine was busy.
_TIMES, _MARGIN = 2.0, 30.0


class UsualTime(Struct, frozen=True):
    """How long the last attempts of a target ran that succeeded; without the time that their jobs waited.

    Parameters
    ----------
    seconds : float
        The median.
    longest : float
        The longest.
    runs : int
        The number of attempts, from 1 to `RUNS`.
    """

    seconds: float
    longest: float
    runs: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "UsualTime | None":
        """Return the usual time, from the durations of attempts; None if there are none."""
        if not seconds:
            return None
        ordered, middle = sorted(seconds), len(seconds) // 2
        return cls((ordered[middle] + ordered[-1 - middle]) / 2, ordered[-1], len(seconds))

    @property
    def limit(self) -> float | None:
        """Seconds after which a running attempt is overdue; None if too few attempts are known."""
        return max(_TIMES * self.longest, self.longest + _MARGIN) if self.runs >= _FEWEST else None

    def is_overdue(self, started_at: float | None, now: float) -> bool:
        """Return whether an attempt that has been running since `started_at` is overdue."""
        return started_at is not None and self.limit is not None and now - started_at > self.limit

    def __str__(self) -> str:
        """Return it in words; nothing if it is too short to be worth reading."""
        if self.seconds < _SHORTEST:
            return ""
        runs = "last run" if self.runs == 1 else f"last {self.runs} runs"
        return f"usually {durations.show(self.seconds)} ({runs})"
