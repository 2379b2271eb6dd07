"""The current attempts, and finding them again after a crash of the supervisor or of a fork server.

Each is checked by its folder: an attempt that has not started is voided and launched again, one that runs is watched, and one
that is gone is judged. Any program may have written a folder: an invalid one costs only its own attempt.
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
    deadline: float | None = None  #: on the monotonic clock, which does not advance while the machine sleeps; None: no timeout
    until: float | None = None  #: the job's own deadline, in seconds since the epoch
    memory_kills: int | None = None  #: the kernel's count at the launch; None: unknown
    ending: Ending | None = None
    remains: list[int] = field(default_factory=list)  #: processes that could not be killed
    left_running: list[int] = field(default_factory=list)  #: processes that it left running, and that may stay
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


class Attempts:
    """The attempts that the supervisor is handling, by attempt folder."""

    def __init__(self) -> None:
        self.running: dict[str, Running] = {}
        self.leaving: dict[str, Leaving] = {}  #: those whose process is gone; still in `running`
        self.ended: dict[str, Exit] = {}  #: not yet recorded; still in `running`
        self.voided: dict[str, Running] = {}  #: to be launched again
        self.unclear: set[str] = set()  #: to be checked again; still in `running`

    def any(self) -> bool:
        """Return whether there are any attempts."""
        return bool(self.running or self.ended or self.voided)

    def in_hand(self) -> list[Running]:
        """Return all of them, including those that are to be launched again."""
        return [*self.running.values(), *self.voided.values()]

    def void(self, run: Running) -> None:
        """Mark an attempt to be launched again that has not started, and never will in its folder."""
        run.voided_at = time.monotonic()
        self.unclear.discard(run.folder)
        self.running.pop(run.folder, None)
        self.leaving.pop(run.folder, None)
        self.voided[run.folder] = run

    def hold(self, run: Running, *, is_unclear: bool) -> None:
        """Add an attempt that was found."""
        self.running[run.folder] = run
        if is_unclear:
            self.unclear.add(run.folder)
        else:
            self.unclear.discard(run.folder)

    def refuse(self, run: Running, reason: str) -> None:
        """Mark a claimed attempt that can't be launched as denied."""
        run.refused = reason
        self.running[run.folder], self.ended[run.folder] = run, Exit(run.folder)

    def give_up(self, run: Running, trouble: str) -> None:
        """Mark an attempt that can't be inspected as ended."""
        run.trouble = trouble
        self.running[run.folder], self.ended[run.folder] = run, Exit(run.folder)

    def forget(self, folder: str) -> None:
        """Forget an attempt whose end or next launch is in the store."""
        for held in (self.running, self.leaving, self.ended, self.voided):
            held.pop(folder, None)
        self.unclear.discard(folder)


class Found(Enum):
    """The status of an attempt, as its folder shows it."""

    VOID = "void"  #: it has not started, and never will
    WATCHED = "watched"
    GONE = "gone"
    ELSEWHERE = "elsewhere"
    UNCLEAR = "unclear"  #: out of descriptors or disk space: to be checked again


def look(folder: str, executor: LocalExecutor) -> Found:
    """Determine the status of an attempt that another process launched.

    The start marker decides: if there is none, it is created as void, and the first to create it wins. A process that has begun
    and removed its marker is found anyway.
    """
    try:
        return _look(folder, executor)
    except OSError as error:
        return Found.UNCLEAR if error.errno in PASSING else Found.GONE


def _look(folder: str, executor: LocalExecutor) -> Found:
    try:
        started = Started(void=True) if attempt.claim_start(folder, {"void": True}) else reports.started(folder) or Started()
    except (FileNotFoundError, NotADirectoryError):  # claimed, but its folder was never created or is gone
        started = Started(void=True)
    if started.void:
        return _look_without_marker(folder, executor)
    if not occupancy.is_here(started):
        return Found.GONE if occupancy.is_attempt_gone(folder, started) else Found.ELSEWHERE
    process = _process(folder, started)
    return Found.WATCHED if process is not None and executor.watch(folder, process) else Found.GONE


def _look_without_marker(folder: str, executor: LocalExecutor) -> Found:
    """Determine the status without a marker, or with a void one: no process can start any more, but one may have removed it."""
    process = _unmarked(folder)
    if process is not None and executor.watch(folder, process):
        return Found.WATCHED
    return Found.GONE if (reports.left(folder) or reports.Left()).begun else Found.VOID


def _unmarked(folder: str) -> ProcessIdentity | None:
    """Return the process that began an attempt whose marker is gone: it still holds the file from which the marker was made.

    A process that was too late to begin closed its file before the file lost its name.
    """
    leader = tree.leader_that_holds(f"{folder}/{attempt.STARTED}.")
    return None if leader is None else identity.current(leader)


def _process(folder: str, started: Started) -> ProcessIdentity | None:
    """Return the process that a start marker names; if a job has damaged its marker, the one that writes the attempt's log."""
    if started.process is not None and started.process[0] != os.getpid():
        return ProcessIdentity(*started.process)
    writer = tree.leader_that_writes(f"{folder}/{attempt.OUTPUT}")
    return None if writer is None else identity.current(writer)


def never_started(folder: str) -> bool:
    """Return whether an attempt whose process has ended never started, so that it can be launched again.

    The process left neither a start marker nor an outcome, and no other process will start in this folder.
    """
    if os.path.lexists(f"{folder}/{attempt.OUTCOME}"):
        return False
    with contextlib.suppress(OSError):
        if attempt.claim_start(folder, {"void": True}):
            return True
        return (reports.started(folder) or Started()).void
    return os.path.isdir(folder) and not os.path.lexists(f"{folder}/{attempt.STARTED}")


def began(folder: str, started_at: float | None, clock: Callable[[], float] = time.time) -> float:
    """Return when an attempt began, on the monotonic clock: from its worker's record of this boot, otherwise from its row.

    Parameters
    ----------
    folder : str
        The attempt folder.
    started_at : float or None
        The time in the row, in seconds since the epoch; None: now.
    clock : callable
        Seconds since the epoch.
    """
    started, now = reports.started(folder) or Started(), time.monotonic()
    if started.monotonic is not None and started.process is not None and started.process[2] == identity.boot():
        return min(started.monotonic, now)
    return now if started_at is None else now - max(0.0, clock() - started_at)


def is_gone_elsewhere(folder: str) -> bool:
    """Return whether a process whose PID is not visible here is certainly gone; False while that can't be determined."""
    try:
        return occupancy.is_attempt_gone(folder, reports.started(folder) or Started())
    except OSError as error:
        return error.errno not in PASSING


def last_words(folder: str) -> str:
    """Return the last line that the process of an attempt printed."""
    return attempt.tail(f"{folder}/{attempt.OUTPUT}", 1, 500).strip() or "see supervisor.err"


def begin_ending(running: Running, reason: Outcome, grace: float, executor: LocalExecutor) -> Ending | None:
    """Begin to end an attempt; None if voiding its start is enough, or if its processes are not visible."""
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
