"""Read from an attempt's folder whether and when it has begun, and what its process printed last.

The start marker decides which process may begin, whichever executor launched the attempt. This module changes no row.
"""

import contextlib
import os
import time
from collections.abc import Callable

from ..state import attempt, reports
from ..state.reports import StartMarker
from ..system import identity, private_file


def never_started(folder: str) -> bool:
    """Return whether an attempt whose process has ended never started, so that it can be launched again.

    The process left neither a start marker nor an outcome, and no other process will start in this folder.
    """
    if os.path.lexists(f"{folder}/{attempt.OUTCOME}"):
        return False
    with contextlib.suppress(OSError):
        if attempt.claim_start(folder, {"void": True}):
            return True
        return (reports.start_marker(folder) or StartMarker()).void
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
    started, now = reports.start_marker(folder) or StartMarker(), time.monotonic()
    if started.monotonic is not None and started.process is not None and started.process[2] == identity.boot():
        return min(started.monotonic, now)
    return now if started_at is None else now - max(0.0, clock() - started_at)


def last_words(folder: str) -> str:
    """Return the last line that the process of an attempt printed."""
    return private_file.tail(f"{folder}/{attempt.OUTPUT}", 1, 500).strip() or "see supervisor.err"
