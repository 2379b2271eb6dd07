"""How an attempt is found again, by its folder: after a crash of the supervisor, or of a fork server.

One that has not started is voided, one that runs is watched. What a folder says, anybody may have written: one that makes no
sense costs its own attempt.
"""

import os
from collections.abc import Callable

from ...state import attempt, occupancy, reports
from ...state.occupancy import PASSING
from ...state.reports import Started
from ...system import identity, tree
from ...system.identity import ProcessIdentity
from ..executor import AttemptStatus

#: Watches the process of an attempt; False where it has ended.
Watch = Callable[[str, ProcessIdentity], bool]


def find(folder: str, watch: Watch) -> AttemptStatus:
    """Find out about an attempt that somebody else launched.

    The start marker decides: where there is none, it is created as void, and whoever creates it first wins. A process that has
    begun, and taken its marker away, is found all the same.
    """
    try:
        return _find(folder, watch)
    except OSError as error:
        return AttemptStatus.UNCLEAR if error.errno in PASSING else AttemptStatus.GONE


def _find(folder: str, watch: Watch) -> AttemptStatus:
    try:
        started = Started(void=True) if attempt.claim_start(folder, {"void": True}) else reports.started(folder) or Started()
    except (FileNotFoundError, NotADirectoryError):  # claimed, and not even a folder, or none any more
        started = Started(void=True)
    if started.void:
        return _find_without_marker(folder, watch)
    if not occupancy.is_here(started):
        return AttemptStatus.GONE if occupancy.is_attempt_gone(folder, started) else AttemptStatus.ELSEWHERE
    process = marked_process(folder, started)
    return AttemptStatus.WATCHED if process is not None and watch(folder, process) else AttemptStatus.GONE


def _find_without_marker(folder: str, watch: Watch) -> AttemptStatus:
    """There is no marker, or it is void: nobody starts any more; whether somebody had before, and took it away, is seen apart."""
    process = unmarked_process(folder)
    if process is not None and watch(folder, process):
        return AttemptStatus.WATCHED
    return AttemptStatus.GONE if (reports.left(folder) or reports.Left()).begun else AttemptStatus.VOID


def unmarked_process(folder: str) -> ProcessIdentity | None:
    """The process that has begun an attempt whose marker is gone: it still holds the file from which that was made.

    One that was too late to begin has closed its file before that lost its name.
    """
    leader = tree.leader_that_holds(f"{folder}/{attempt.STARTED}.")
    return None if leader is None else identity.current(leader)


def marked_process(folder: str, started: Started) -> ProcessIdentity | None:
    """The process that a start marker names; where a job has spoiled its marker, the one that writes the attempt's log."""
    if started.process is not None and started.process[0] != os.getpid():
        return ProcessIdentity(*started.process)
    writer = tree.leader_that_writes(f"{folder}/{attempt.OUTPUT}")
    return None if writer is None else identity.current(writer)


def is_gone_elsewhere(folder: str) -> bool:
    """Whether an attempt's process, whose PID can't be seen here, is gone for certain; not while that can't be told."""
    try:
        return occupancy.is_attempt_gone(folder, reports.started(folder) or Started())
    except OSError as error:
        return error.errno not in PASSING
