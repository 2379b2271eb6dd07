"""One attempt that holds a slot: when it must end, and what is known of it; a value that the supervisor updates.

It never looks at a folder or a process.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..executors.executor import Cancellation


@dataclass(slots=True)
class Running:
    """An attempt that holds a slot."""

    job_id: int
    number: int
    folder: str
    deadline: float | None = None  #: on the monotonic clock, which a machine's sleep doesn't advance; None: no timeout
    until: float | None = None  #: the job's own deadline, in seconds since the epoch
    memory_kills: int | None = None  #: what the kernel had counted at the launch; None: not known
    ending: Cancellation | None = None
    remains: Sequence[int] = ()  #: processes that could not be ended
    left_running: Sequence[int] = ()  #: processes that it has left running, and that are to stay
    voided_at: float = field(default_factory=time.monotonic)  #: when it was found that it has to be launched again
    begun: bool = False  #: it is known to have begun: it is never launched again as if it had not, whatever its folder says
    elsewhere: bool = False  #: in another place: only its lock can be seen
    adopted: str | None = None  #: who said that its process is gone, where that can't be seen
    problem: str | None = None  #: why it could not be launched
    late: bool = False  #: its timeout has been enforced
    refused: str | None = None  #: why it could not be launched though it was claimed
    trouble: str | None = None  #: what went wrong when it was looked at

    @property
    def is_hook(self) -> bool:
        """Whether it calls a hook of a job that has ended."""
        return self.number == 0

    def is_late(self, monotonic: float, clock: float) -> bool:
        """Whether its timeout or its job's deadline is over, and still to be enforced."""
        return not self.late and self.left(monotonic, clock) <= 0

    def left(self, monotonic: float, clock: float) -> float:
        """Seconds until it has to end; infinite where nothing says so."""
        limits = [math.inf if self.deadline is None else self.deadline - monotonic]
        limits += [] if self.until is None else [self.until - clock]
        return min(limits)
