"""Ending an attempt's processes step by step, without ever waiting: interrupt, terminate, kill.

Each step lasts `grace` seconds. The reason is in the store before the first signal. The worker adopts the orphans of its
descendants, and stays until they are gone, so that all of them can be found.
"""

import contextlib
import os
import time
from collections.abc import Callable

from ...state import attempt, occupancy, reports
from ...state.reports import StartMarker
from ...system import identity, private_file, tree
from . import finding

#: Seconds between two checks.
INTERVAL = 0.03


class Termination:
    """One attempt that is being ended.

    Parameters
    ----------
    folder : str
        The attempt folder.
    process : ProcessIdentity or None
        The worker; None if its start marker names no process.
    reason : str
        ``cancelled`` or ``timeout``.
    grace : float
        Seconds for each step.
    kill : callable
        Kills the process through the server or handle that watches it; False if none does. The last resort if the marker does
        not lead to the process: a job may have changed it.
    clock : callable
        The monotonic clock.
    """

    def __init__(  # noqa: PLR0913 - what to end, why and how
        self,
        folder: str,
        process: identity.ProcessIdentity | None,
        reason: str,
        grace: float,
        *,
        kill: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._grace = grace
        self._clock = clock
        self._kill = kill
        self._worker = identity.state_of(process.pid) if process is not None and identity.is_alive(process) else None
        self.is_unwatched = False  #: no report will come when the process ends, if there is one
        self._known: dict[int, identity.ProcessState] = {}
        self._deadline = clock() + (0.0 if process is None else grace)
        self._step = self._after_interrupt
        _note(folder, reason)
        if self._worker is not None:
            self._find_processes()
            tree.interrupt(self._worker)

    def step(self) -> None:
        """Take the steps that are due."""
        if self._worker is not None:
            self._find_processes()
            self._step()
        elif self._clock() >= self._deadline:
            self.is_unwatched = not self._kill()
            self._deadline = self._clock() + max(self._grace, INTERVAL)

    def known(self) -> list[identity.ProcessState]:
        """Return the processes below the worker that were seen and still exist."""
        return [state for state in self._known.values() if tree.same(state)]

    def _find_processes(self) -> None:
        assert self._worker is not None
        roots = [state for state in (self._worker, *self._known.values()) if tree.same(state)]
        self._known |= {state.pid: state for state in tree.descendants(roots)}

    def _after_interrupt(self) -> None:
        done = private_file.read_json(self._folder, attempt.OUTCOME) is not None
        if not done and self._clock() < self._deadline:
            return
        assert self._worker is not None
        tree.terminate(self._known.values())
        if not done:
            tree.terminate([self._worker])
        self._deadline = self._clock() + self._grace
        self._step = self._after_terminate

    def _after_terminate(self) -> None:
        if self._clock() < self._deadline:
            return
        assert self._worker is not None
        tree.kill(self._worker, self._known.values())
        self._deadline = self._clock() + self._grace


def _note(folder: str, reason: str) -> None:
    """Tell the worker that its end was requested: it reports whether its method had already returned, and awaits its children.

    A worker only checks that the file exists, so on a full disk an empty one is enough.
    """
    try:
        private_file.write_json(folder, attempt.ENDING, {"reason": reason})
    except OSError:
        with contextlib.suppress(OSError):  # for example no folder, and then there will be no outcome either
            private_file.write_empty(folder, attempt.ENDING)


def begin(folder: str, reason: str, grace: float, kill: Callable[[], bool], *, is_elsewhere: bool) -> Termination | None:
    """Begin to end an attempt; None if voiding its start is enough, or if its processes are not visible.

    Parameters
    ----------
    folder, reason, grace, kill
        As for `Termination`.
    is_elsewhere : bool
        Whether it was found where only its lock can be seen.
    """
    started = StartMarker(void=True)
    with contextlib.suppress(OSError):  # no folder yet, or a full disk
        attempt.claim_start(folder, {"void": True})
    if os.path.lexists(f"{folder}/{attempt.STARTED}"):
        started = reports.start_marker(folder) or StartMarker()
    here = occupancy.is_here(started)
    if is_elsewhere and not here:
        return None
    if started.void:
        process = finding.unmarked_process(folder)
        if process is None:
            return None
    else:
        process = finding.marked_process(folder, started if here else StartMarker())
    return Termination(folder, process, reason, grace, kill=kill)
