"""How an attempt is found again, by its folder: after a crash of the supervisor, or of a fork server.

An attempt that has not started is voided and launched again, one that runs is watched, one that has gone is judged. What a folder
says, anybody may have written: one that makes no sense costs its own attempt. It never changes a row.
"""

import contextlib
import os
import time
from collections.abc import Callable
from enum import Enum

from ..executors.local import LocalExecutor
from ..model.records import Outcome
from ..state import attempt, occupancy, reports
from ..state.occupancy import PASSING
from ..state.reports import Started
from ..system import identity, private_file, tree
from ..system.identity import ProcessIdentity
from .running import Running
from .termination import Ending


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
    return private_file.tail(f"{folder}/{attempt.OUTPUT}", 1, 500).strip() or "see supervisor.err"


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
