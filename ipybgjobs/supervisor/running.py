"""The attempts under way, and how they are found again: after a crash of the supervisor, or of a fork server.

What is found is looked at by its folder: an attempt that has not started is voided and launched again, one that runs is watched,
one that has gone is judged. What a folder says, anybody may have written: one that makes no sense costs its own attempt.
"""

import contextlib
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from .. import attempt, occupancy, reports
from ..executors.local import Exit, LocalExecutor
from ..models import Outcome
from ..occupancy import PASSING
from ..process import identity, tree
from ..process.identity import ProcessIdentity
from ..reports import Started
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
    left_running: list[int] = field(default_factory=list)  #: processes that it has left running, and that are to stay
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
        """Return whether it calls a hook of a job that has ended."""
        return self.number == 0

    def is_late(self, monotonic: float, clock: float) -> bool:
        """Return whether its timeout or its job's deadline is over, and still to be enforced."""
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
        self.unclear: set[str] = set()  #: to be looked at again; still in `running`

    def any(self) -> bool:
        """Return whether there is anything."""
        return bool(self.running or self.ended or self.voided)

    def in_hand(self) -> list[Running]:
        """All of them, those that are to be launched again included."""
        return [*self.running.values(), *self.voided.values()]

    def void(self, run: Running) -> None:
        """Have an attempt launched again that has not started, and never will in its folder."""
        run.voided_at = time.monotonic()
        self.unclear.discard(run.folder)
        self.running.pop(run.folder, None)
        self.leaving.pop(run.folder, None)
        self.voided[run.folder] = run

    def hold(self, run: Running, *, is_unclear: bool) -> None:
        """Have an attempt in hand that was found."""
        self.running[run.folder] = run
        if is_unclear:
            self.unclear.add(run.folder)
        else:
            self.unclear.discard(run.folder)

    def refuse(self, run: Running, reason: str) -> None:
        """Have an attempt denied that was claimed, and can't be launched."""
        run.refused = reason
        self.running[run.folder], self.ended[run.folder] = run, Exit(run.folder)

    def give_up(self, run: Running, trouble: str) -> None:
        """Have an attempt end that can't be looked at."""
        run.trouble = trouble
        self.running[run.folder], self.ended[run.folder] = run, Exit(run.folder)

    def forget(self, folder: str) -> None:
        """Let go of an attempt whose end, or whose next launch, is in the store."""
        for held in (self.running, self.leaving, self.ended, self.voided):
            held.pop(folder, None)
        self.unclear.discard(folder)


class Found(Enum):
    """What a look at an attempt folder finds."""

    VOID = "void"  #: it has not started, and never will
    WATCHED = "watched"
    GONE = "gone"
    ELSEWHERE = "elsewhere"
    UNCLEAR = "unclear"  #: no descriptor, no space: to be looked at again


def look(folder: str, executor: LocalExecutor) -> Found:
    """Find out about an attempt that somebody else launched.

    The start marker decides: where there is none, it is created as void, and whoever creates it first wins. A process that has
    begun, and taken its marker away, is found all the same.
    """
    try:
        return _look(folder, executor)
    except OSError as error:
        return Found.UNCLEAR if error.errno in PASSING else Found.GONE


def _look(folder: str, executor: LocalExecutor) -> Found:
    try:
        started = Started(void=True) if attempt.claim_start(folder, {"void": True}) else reports.started(folder) or Started()
    except (FileNotFoundError, NotADirectoryError):  # claimed, and not even a folder, or none any more
        started = Started(void=True)
    if started.void:
        return _look_without_marker(folder, executor)
    if not occupancy.is_here(started):
        return Found.GONE if occupancy.is_attempt_gone(folder, started) else Found.ELSEWHERE
    process = _process(folder, started)
    return Found.WATCHED if process is not None and executor.watch(folder, process) else Found.GONE


def _look_without_marker(folder: str, executor: LocalExecutor) -> Found:
    """There is no marker, or it is void: nobody starts any more; whether somebody had before, and took it away, is seen apart."""
    process = _unmarked(folder)
    if process is not None and executor.watch(folder, process):
        return Found.WATCHED
    return Found.GONE if (reports.left(folder) or reports.Left()).begun else Found.VOID


def _unmarked(folder: str) -> ProcessIdentity | None:
    """The process that has begun an attempt whose marker is gone: it still holds the file from which that was made.

    One that was too late to begin has closed its file before that lost its name.
    """
    leader = tree.leader_that_holds(f"{folder}/{attempt.STARTED}.")
    return None if leader is None else identity.current(leader)


def _process(folder: str, started: Started) -> ProcessIdentity | None:
    """The process that a start marker names; where a job has spoiled its marker, the one that writes the attempt's log."""
    if started.process is not None and started.process[0] != os.getpid():
        return ProcessIdentity(*started.process)
    writer = tree.leader_that_writes(f"{folder}/{attempt.OUTPUT}")
    return None if writer is None else identity.current(writer)


def never_started(folder: str) -> bool:
    """Return whether an attempt whose process has ended had not started, so that it can be launched again as if it had not been.

    The process has left neither a start marker nor an outcome, and nobody else will start in this folder.
    """
    if os.path.lexists(f"{folder}/{attempt.OUTCOME}"):
        return False
    with contextlib.suppress(OSError):
        if attempt.claim_start(folder, {"void": True}):
            return True
        return (reports.started(folder) or Started()).void
    return os.path.isdir(folder) and not os.path.lexists(f"{folder}/{attempt.STARTED}")


def began(folder: str, started_at: float | None, clock: Callable[[], float] = time.time) -> float:
    """When an attempt began, on the monotonic clock: as its worker wrote in this boot, else as its row says.

    Parameters
    ----------
    folder : str
        The attempt folder.
    started_at : float or None
        What the row says, in seconds since the epoch; None: now.
    clock : callable
        Seconds since the epoch.
    """
    started, now = reports.started(folder) or Started(), time.monotonic()
    if started.monotonic is not None and started.process is not None and started.process[2] == identity.boot():
        return min(started.monotonic, now)
    return now if started_at is None else now - max(0.0, clock() - started_at)


def is_gone_elsewhere(folder: str) -> bool:
    """Return whether an attempt's process, whose PID can't be seen here, is gone for certain; not while that can't be told."""
    try:
        return occupancy.is_attempt_gone(folder, reports.started(folder) or Started())
    except OSError as error:
        return error.errno not in PASSING


def last_words(folder: str) -> str:
    """What the process of an attempt printed last, in a line."""
    return attempt.tail(f"{folder}/{attempt.OUTPUT}", 1, 500).strip() or "see supervisor.err"


def begin_ending(running: Running, reason: Outcome, grace: float, executor: LocalExecutor) -> Ending | None:
    """Begin to end an attempt; None where it is enough to void its start, or where its processes can't be seen."""
    folder = running.folder
    started = Started(void=True)
    with contextlib.suppress(OSError):  # no folder yet, or a full disk
        attempt.claim_start(folder, {"void": True})
    if os.path.lexists(f"{folder}/{attempt.STARTED}"):
        started = reports.started(folder) or Started()
    here = occupancy.is_here(started)
    if running.elsewhere and not here:
        return None
    if started.void:
        process = _unmarked(folder)
        if process is None:
            return None
    else:
        process = _process(folder, started if here else Started())
    return Ending(folder, process, reason, grace, kill=lambda: executor.kill(folder))
