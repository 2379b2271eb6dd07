"""Clean up after attempts whose process is gone, until their end is fully known and no process that has to end is left.

It never waits: each attempt is checked again until then. An exit report is awaited only from a living fork server of this
package. The processes that a worker left are ended if it did not exit by itself or was being ended; otherwise a setting decides.
"""

import time
from collections.abc import Callable

from ...state import attempt, occupancy, reports
from ...state.reports import StartMarker
from ...system import identity, place, process_mark, tree
from ...system.identity import ProcessIdentity, ProcessState
from ..exit import Exit, recorded
from .leftovers import Sweep
from .termination import Termination

#: Seconds that a fork server without a supervisor has to record how its child ended.
PATIENCE = 2.0


class ExitCleanup:
    """One attempt whose process is gone.

    Parameters
    ----------
    end : Exit
        What is known of its end; if its exit status is unknown, its exit report is awaited.
    grace : float or None
        Seconds to terminate for processes left by a worker that ended by itself; None: they stay.
    find_ending : callable
        Returns how it is being ended; None if it ended by itself.
    clock : callable
        The monotonic clock, in seconds.
    """

    def __init__(
        self,
        end: Exit,
        grace: float | None,
        find_ending: Callable[[], Termination | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.survivors: list[int] = []  #: PIDs of processes that could not be killed
        self.left_running: list[int] = []  #: PIDs of processes that it has left running, and that are to stay
        self._end = end
        self._find_ending = find_ending
        self._grace = grace
        self._clock = clock
        self._report_until = clock() + PATIENCE
        self._launcher = None if end.was_seen else _launcher(_started(end.folder))
        self._sweep: Sweep | None = None

    def step(self) -> Exit | None:
        """Take the steps that are due; return the end once nothing is left to do."""
        if not self._end.was_seen:
            self._end = recorded(self._end.folder)
            if not self._end.was_seen and self._is_about_to_report():
                return None
        if self._sweep is None:
            self._sweep = self._begin()
        if not self._sweep.step():
            return None
        self.survivors = self._sweep.survivors
        return self._end

    def _is_about_to_report(self) -> bool:
        alive = self._launcher is not None and identity.is_alive(self._launcher)
        return alive and self._clock() < self._report_until

    def _begin(self) -> Sweep:
        """Determine which of the processes that the attempt left have to end, and how."""
        if self._find_ending() is not None or reports.outcome(self._end.folder) is None:
            return Sweep(self._left, 0.0, self._clock)
        seen = self._end.was_seen  # then the processes that the worker left are children of the process that saw its end
        if self._grace is None or (seen and not self._end.left):
            self.left_running = [process.pid for process in self._end.left if identity.is_alive(process)]
            return Sweep(list, 0.0, self._clock)
        return Sweep(self._left, self._grace, self._clock)

    def _left(self) -> list[ProcessState]:
        """Return the attempt's processes that are still alive."""
        folder, ending = self._end.folder, self._find_ending()
        started = _started(folder)
        known = [] if ending is None else ending.known()
        known += tree.writers(f"{folder}/{attempt.OUTPUT}")
        if occupancy.is_here(started):
            worker = None if started.process is None else ProcessIdentity(*started.process)
            known += tree.left_behind(worker, self._end.left, process_mark.of_attempt(folder))
        return list({state.pid: state for state in known}.values())


def _started(folder: str) -> StartMarker:
    return reports.start_marker(folder) or StartMarker()


def _launcher(started: StartMarker) -> ProcessIdentity | None:
    """Return the fork server that may still record how an attempt ended; None if none will, as for a child of init."""
    if started.launcher is None or occupancy.of_attempt(started).key != place.here():
        return None
    launcher = ProcessIdentity(*started.launcher)
    return launcher if " forkserver " in identity.command_line(launcher.pid) else None
