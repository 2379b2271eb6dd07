"""The attempts under way, and how they are found again: after a crash of the supervisor, or of a fork server.

What is found is looked at by its folder: an attempt that has not started is voided and launched again, one that runs is watched,
one that has gone is judged.
"""

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from .. import attempt, presence
from ..executors.local import Exit, LocalExecutor
from ..models import Outcome
from ..process import identity, place
from ..process.identity import ProcessIdentity
from .ending import Ending

#: Seconds that a fork server without supervisor is given to write how its child ended.
PATIENCE = 2.0


@dataclass(slots=True)
class Running:
    """An attempt that holds a slot."""

    job_id: int
    number: int
    folder: str
    deadline: float | None = None  #: on the monotonic clock, which a machine's sleep doesn't advance; None: no timeout
    until: float | None = None  #: the job's own deadline, in seconds since the epoch
    memory_kills: int | None = None  #: what the kernel had counted at the launch; None: not known
    ending: Ending | None = None
    remains: list[int] = field(default_factory=list)  #: processes that could not be ended
    voided_at: float = field(default_factory=time.monotonic)  #: when it was found that it has to be launched again
    elsewhere: bool = False  #: in another place: only its lock can be seen
    adopted: str | None = None  #: who said that its process is gone, where that can't be seen
    late: bool = False  #: its timeout has been enforced

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


class Attempts:
    """What the supervisor has in hand, by attempt folder."""

    def __init__(self) -> None:
        self.running: dict[str, Running] = {}
        self.ended: dict[str, Exit] = {}  #: not yet recorded; still in `running`
        self.voided: dict[str, Running] = {}  #: to be launched again

    def any(self) -> bool:
        """Whether there is anything."""
        return bool(self.running or self.ended or self.voided)

    def in_hand(self) -> list[Running]:
        """All of them, those that are to be launched again included."""
        return [*self.running.values(), *self.voided.values()]

    def void(self, run: Running) -> None:
        """Have an attempt launched again that has not started, and never will in its folder."""
        run.voided_at = time.monotonic()
        self.running.pop(run.folder, None)
        self.voided[run.folder] = run

    def forget(self, folder: str) -> None:
        """Let go of an attempt whose end, or whose next launch, is in the store."""
        for held in (self.running, self.ended, self.voided):
            held.pop(folder, None)


class Found(Enum):
    """What a look at an attempt folder finds."""

    VOID = "void"  #: it has not started, and never will
    WATCHED = "watched"
    GONE = "gone"
    ELSEWHERE = "elsewhere"


def look(folder: str, executor: LocalExecutor, clock: Callable[[], float] = time.monotonic) -> Found:
    """Find out about an attempt that somebody else launched.

    The start marker decides: where there is none, it is created as void, and whoever creates it first wins.
    """
    started = attempt.read_json(folder, attempt.STARTED)
    try:
        if started is None and attempt.claim_start(folder, {"void": True}):
            return Found.VOID
    except (FileNotFoundError, NotADirectoryError):
        return Found.VOID  # claimed, and not even a folder
    started = started or attempt.read_json(folder, attempt.STARTED) or {}
    if started.get("void"):
        return Found.VOID
    if presence.of_attempt(started).key != place.here():
        return Found.GONE if presence.is_attempt_gone(folder, started) else Found.ELSEWHERE
    if executor.watch(folder, ProcessIdentity(**started["process"])):
        return Found.WATCHED
    wait_for_exit_report(folder, started, clock)
    return Found.GONE


def began(folder: str, started_at: float, clock: Callable[[], float] = time.time) -> float:
    """When an attempt began, on the monotonic clock: as its worker wrote in this boot, else as its row says.

    Parameters
    ----------
    folder : str
        The attempt folder.
    started_at : float
        What the row says, in seconds since the epoch.
    clock : callable
        Seconds since the epoch.
    """
    started = attempt.read_json(folder, attempt.STARTED) or {}
    if "monotonic" in started and started.get("process", {}).get("boot") == identity.boot():
        return float(started["monotonic"])
    return time.monotonic() - max(0.0, clock() - started_at)


def is_gone_elsewhere(folder: str) -> bool:
    """Whether an attempt's process, whose PID can't be seen here, is gone for certain."""
    return presence.is_attempt_gone(folder, attempt.read_json(folder, attempt.STARTED) or {})


def wait_for_exit_report(folder: str, started: dict[str, Any] | None = None, clock: Callable[[], float] = time.monotonic) -> None:
    """Give the fork server that launched the attempt, if it lives, a moment to write how it ended."""
    started = started or attempt.read_json(folder, attempt.STARTED) or {}
    if "launcher" not in started:
        return
    launcher = ProcessIdentity(**started["launcher"])
    limit = clock() + PATIENCE
    while attempt.read_json(folder, attempt.EXIT) is None and identity.is_alive(launcher) and clock() < limit:
        time.sleep(0.005)


def begin_ending(running: Running, reason: Outcome, grace: float) -> Ending | None:
    """Begin to end an attempt; None where it is enough to void its start, or where its processes can't be seen."""
    with contextlib.suppress(OSError):  # no folder yet, or a full disk
        if attempt.claim_start(running.folder, {"void": True}):
            return None
    started = attempt.read_json(running.folder, attempt.STARTED) or {}
    if presence.of_attempt(started).key != place.here():
        return None
    return Ending(running.folder, ProcessIdentity(**started["process"]), reason, grace)
