"""One attempt that holds a slot: when it must end, and what is known about it; a value that the supervisor updates.

It never inspects a folder or a process.
"""

import math
import time
from collections.abc import Sequence

from msgspec import Struct, field

from ..executors.executor import Cancellation


class ActiveAttempt(Struct):
    """An attempt that holds a slot."""

    job_id: int
    number: int
    folder: str
    deadline: float | None = None  #: on the monotonic clock, which does not advance while the machine sleeps; None: no timeout
    until: float | None = None  #: the job's own deadline, in seconds since the epoch
    memory_kills: int | None = None  #: the kernel's count at the launch; None: unknown
    termination: Cancellation | None = None
    survivors: Sequence[int] = ()  #: processes that could not be killed
    left_running: Sequence[int] = ()  #: processes that it left running, and that may stay
    voided_at: float = field(default_factory=time.monotonic)  #: when it turned out that it has to be launched again
    begun: bool = False  #: it is known to have begun, so it is never launched again, whatever its folder says
    elsewhere: bool = False  #: in another place: only its lock is visible
    adopted: str | None = None  #: who confirmed that its process is gone, if that can't be observed
    problem: str | None = None  #: why it could not be launched
    late: bool = False  #: its timeout has been enforced
    refused: str | None = None  #: why it could not be launched after it was claimed
    trouble: str | None = None  #: what went wrong when it was checked

    @property
    def is_hook(self) -> bool:
        """Return whether it is the call of a finished job's hook."""
        return self.number == 0

    def is_late(self, monotonic: float, clock: float) -> bool:
        """Return whether its timeout or its job's deadline has passed and is still to be enforced."""
        return not self.late and self.left(monotonic, clock) <= 0

    def left(self, monotonic: float, clock: float) -> float:
        """Return the seconds until it has to end; infinite if it has no limit."""
        limits = [math.inf if self.deadline is None else self.deadline - monotonic]
        limits += [] if self.until is None else [self.until - clock]
        return min(limits)
