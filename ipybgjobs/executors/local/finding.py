"""Find an attempt again, by its folder: after a crash of the supervisor, or of a fork server.

An attempt that has not started is voided, one that is running is watched. Anyone may have written what a folder says; if that
makes no sense, only its own attempt fails.
"""

import os
from collections.abc import Callable

from ...state import attempt, occupancy, reports
from ...state.occupancy import PASSING
from ...state.reports import StartMarker
from ...system import identity, tree
from ...system.identity import ProcessIdentity
from ..executor import AttemptStatus

#: Watches the process of an attempt; False if it has ended.
Watch = Callable[[str, ProcessIdentity], bool]


def find(folder: str, watch: Watch) -> AttemptStatus:
    """Determine the status of an attempt that another process launched.

    The start marker decides: if there is none, it is created as void, and the first to create it wins. A process that has begun
    and removed its marker is still found.
    """
    try:
        return _find(folder, watch)
    except OSError as error:
        return AttemptStatus.UNCLEAR if error.errno in PASSING else AttemptStatus.GONE


def _find(folder: str, watch: Watch) -> AttemptStatus:
    try:
        started = (
            StartMarker(void=True)
            if attempt.claim_start(folder, {"void": True})
            else reports.start_marker(folder) or StartMarker()
        )
    except (FileNotFoundError, NotADirectoryError):  # claimed, but its folder was never created or is gone
        started = StartMarker(void=True)
    if started.void:
        return _find_without_marker(folder, watch)
    if not occupancy.is_here(started):
        return AttemptStatus.GONE if occupancy.is_attempt_gone(folder, started) else AttemptStatus.ELSEWHERE
    process = marked_process(folder, started)
    return AttemptStatus.WATCHED if process is not None and watch(folder, process) else AttemptStatus.GONE


def _find_without_marker(folder: str, watch: Watch) -> AttemptStatus:
    """Determine the status without a marker, or with a void one: no process can start any more, but one may have removed it."""
    process = unmarked_process(folder)
    if process is not None and watch(folder, process):
        return AttemptStatus.WATCHED
    return AttemptStatus.GONE if (reports.exit_report(folder) or reports.ExitReport()).begun else AttemptStatus.VOID


def unmarked_process(folder: str) -> ProcessIdentity | None:
    """Return the process that began an attempt whose marker is gone: it still holds the file from which the marker was made.

    A process that was too late to begin has closed its file before the file lost its name.
    """
    leader = tree.leader_that_holds(f"{folder}/{attempt.STARTED}.")
    return None if leader is None else identity.current(leader)


def marked_process(folder: str, started: StartMarker) -> ProcessIdentity | None:
    """Return the process that a start marker names; if a job has damaged its marker, the one that writes the attempt's log."""
    if started.process is not None and started.process[0] != os.getpid():
        return ProcessIdentity(*started.process)
    writer = tree.leader_that_writes(f"{folder}/{attempt.OUTPUT}")
    return None if writer is None else identity.current(writer)


def is_gone_elsewhere(folder: str) -> bool:
    """Return whether a process whose PID is not visible here is certainly gone; False while that can't be determined."""
    try:
        return occupancy.is_attempt_gone(folder, reports.start_marker(folder) or StartMarker())
    except OSError as error:
        return error.errno not in PASSING
