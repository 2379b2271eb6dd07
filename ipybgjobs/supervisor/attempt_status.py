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
    """Whether an attempt whose process has ended had not started, so that it can be launched again as if it had not been.

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
    """Whether an attempt's process, whose PID can't be seen here, is gone for certain; not while that can't be told."""
    try:
        return occupancy.is_attempt_gone(folder, reports.started(folder) or Started())
    except OSError as error:
        return error.errno not in PASSING


def last_words(folder: str) -> str:
    """What the process of an attempt printed last, in a line."""
    return private_file.tail(f"{folder}/{attempt.OUTPUT}", 1, 500).strip() or "supervisor.err may say why"


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
