"""The attempts under way, and how they are found again: after a crash of the supervisor, or of a fork server.

What is found is looked at by its folder: an attempt that has not started is voided and launched again, one that runs is watched,
one that has gone is judged.
"""

import contextlib
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from .. import attempt
from ..executors.local import Exit, LocalExecutor
from ..models import Outcome
from ..process import identity, worker
from ..process.identity import ProcessIdentity
from .ending import Ending

if TYPE_CHECKING:
    from .leaving import Leaving


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
    elsewhere: bool = False  #: in another PID namespace of this host: only its lock can be seen
    problem: str | None = None  #: why it could not be launched
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
        self.leaving: dict[str, Leaving] = {}  #: whose process has gone; still in `running`
        self.ended: dict[str, Exit] = {}  #: not yet recorded; still in `running`
        self.voided: dict[str, Running] = {}  #: to be launched again

    def any(self) -> bool:
        """Whether there is anything."""
        return bool(self.running or self.ended or self.voided)

    def void(self, run: Running) -> None:
        """Have an attempt launched again that has not started, and never will in its folder."""
        run.voided_at = time.monotonic()
        self.running.pop(run.folder, None)
        self.leaving.pop(run.folder, None)
        self.voided[run.folder] = run

    def forget(self, folder: str) -> None:
        """Let go of an attempt whose end, or whose next launch, is in the store."""
        for held in (self.running, self.leaving, self.ended, self.voided):
            held.pop(folder, None)


class Found(Enum):
    """What a look at an attempt folder finds."""

    VOID = "void"  #: it has not started, and never will
    WATCHED = "watched"
    GONE = "gone"
    ELSEWHERE = "elsewhere"


def look(folder: str, executor: LocalExecutor) -> Found:
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
    if started.get("pid_namespace") != identity.pid_namespace():
        return Found.ELSEWHERE if is_held_elsewhere(folder) else Found.GONE
    return Found.WATCHED if executor.watch(folder, ProcessIdentity(**started["process"])) else Found.GONE


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


def is_held_elsewhere(folder: str) -> bool:
    """Whether an attempt's process lives where its PID can't be seen."""
    return worker.is_held_alive(f"{folder}/{attempt.STARTED}")


def never_began(folder: str) -> bool:
    """Whether the process of an attempt, which has gone, never claimed its start; then nobody can from here on."""
    if attempt.read_json(folder, attempt.STARTED) is not None:
        return False
    try:
        return attempt.claim_start(folder, {"void": True})
    except OSError:  # no room, or no folder: whoever would have claimed it is gone
        return not os.path.lexists(f"{folder}/{attempt.STARTED}")


def last_words(folder: str) -> str:
    """What the process of an attempt printed last, in a line."""
    return attempt.tail(f"{folder}/{attempt.OUTPUT}", 1, 500).strip() or "supervisor.err may say why"


def begin_ending(running: Running, reason: Outcome, grace: float) -> Ending | None:
    """Begin to end an attempt; None where it is enough to void its start, or where its processes can't be seen."""
    with contextlib.suppress(OSError):  # no folder yet, or a full disk
        if attempt.claim_start(running.folder, {"void": True}):
            return None
    started = attempt.read_json(running.folder, attempt.STARTED) or {}
    if "process" not in started or started.get("pid_namespace") != identity.pid_namespace():
        return None
    return Ending(running.folder, ProcessIdentity(**started["process"]), reason, grace)
