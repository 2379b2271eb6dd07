"""Attempts whose process has gone, until all that can be known of their end is known, and nothing that is to end is left.

It never waits: each is looked at again until then. An exit report is awaited only of a fork server of ours that lives. What a
worker left behind is ended where the worker did not end by itself, or was being ended; after a success it stays.
"""

import time
from collections.abc import Callable

from .. import attempt, occupancy, reports
from ..executors.local import Exit, exit_from_folder
from ..process import identity, place, tree
from ..process.identity import ProcessIdentity, ProcessState
from ..reports import Started
from .running import Running

#: Seconds that a fork server without supervisor is given to write how its child ended; and until what is ended has to be gone.
PATIENCE, LONGEST_SWEEP = 2.0, 1.0

#: Seconds between two looks.
INTERVAL = 0.01


class Leaving:
    """One attempt whose process has gone.

    Parameters
    ----------
    run : Running
        The attempt.
    end : Exit
        What was seen of its end; without a status its exit report is awaited.
    clock : callable
        The monotonic clock, in seconds.
    """

    def __init__(self, run: Running, end: Exit, clock: Callable[[], float] = time.monotonic) -> None:
        self.run = run
        self._end = end
        self._clock = clock
        self._report_until = clock() + PATIENCE
        self._started = reports.started(run.folder) or Started()
        self._launcher = _launcher(self._started) if end.status is None else None
        self._left: list[ProcessState] | None = None
        self._sweep_until = 0.0

    def step(self) -> Exit | None:
        """Do what is due; return the end once nothing is."""
        if self._end.status is None:
            self._end = exit_from_folder(self.run.folder)
            if self._end.status is None and self._is_about_to_report():
                return None
        if self._left is None:
            self._left = self._to_be_ended()
            self._sweep_until = self._clock() + LONGEST_SWEEP
            if self._left:
                tree.kill_all(self._left)  # which looks at every process
        left = [state.pid for state in self._left if tree.same(state)]
        if left and self._clock() < self._sweep_until:
            return None
        self.run.remains = left
        return self._end

    def _is_about_to_report(self) -> bool:
        alive = self._launcher is not None and identity.is_alive(self._launcher)
        return alive and self._clock() < self._report_until

    def _to_be_ended(self) -> list[ProcessState]:
        """What of the attempt is still there and is not to stay."""
        ending = self.run.ending
        if ending is None and reports.outcome(self.run.folder) is not None:
            return []
        known = [] if ending is None else ending.known()
        known += tree.writers(f"{self.run.folder}/{attempt.OUTPUT}")  # also what init has adopted, with the fork server dead
        if self._started.process is not None and occupancy.of_attempt(self._started).key == place.here():
            known += tree.left_behind(ProcessIdentity(*self._started.process), self._end.left)
        return list({state.pid: state for state in known}.values())


def _launcher(started: Started) -> ProcessIdentity | None:
    """The fork server that may still write how an attempt ended; None where none does: its worker was init's child, say."""
    if started.launcher is None or occupancy.of_attempt(started).key != place.here():
        return None
    launcher = ProcessIdentity(*started.launcher)
    return launcher if " forkserver " in identity.command_line(launcher.pid) else None
