"""The first step of a tick: find attempts that have ended, were lost or never began, one by one.

A problem with one attempt ends that attempt and no other. It changes only what the supervisor holds in memory, never a row, and
it never waits.
"""

import functools
from collections.abc import Callable, Iterable, Sequence

from ..executors.events import Event, Launched, Refusal, Unwatched
from ..executors.executor import AttemptStatus, Cleanup, Executor
from ..executors.exit import Exit, recorded
from ..model.records import Outcome
from . import log_limit, start_status
from .attempts import Attempts
from .configurations import ConfigurationCache
from .launch_backoff import Backoff
from .running import ActiveAttempt


class Collector:
    """Checks attempts.

    Parameters
    ----------
    attempts : Attempts
        The attempts that the supervisor is handling.
    executor : Executor
        Launches attempts, and notices their ends.
    configurations : ConfigurationCache
        The configuration files' settings.
    backoff : Backoff
        Informed about which launches worked.
    """

    def __init__(self, attempts: Attempts, executor: Executor, configurations: ConfigurationCache, backoff: Backoff) -> None:
        self._attempts = attempts
        self._executor = executor
        self._configurations = configurations
        self._backoff = backoff

    def guard(self, run: ActiveAttempt, look: Callable[[], None]) -> None:
        """Check one attempt: a problem with it ends this attempt and no other."""
        try:
            look()
        except Exception as error:
            self._attempts.give_up(run, f"{type(error).__name__}: {error}")

    def recover(self, run: ActiveAttempt) -> None:
        """Determine the status of an attempt that was launched by another supervisor or by a fork server that is gone."""
        found = self._executor.find(run.folder, declared_gone=run.adopted is not None)
        run.begun |= found.begun
        if found.status is AttemptStatus.VOID and not run.begun:
            self._attempts.void(run)
            return
        self._attempts.add(run, is_unclear=found.status is AttemptStatus.UNCLEAR)
        run.elsewhere = found.status is AttemptStatus.ELSEWHERE
        if found.status in (AttemptStatus.GONE, AttemptStatus.VOID):
            self._clean_up(run, recorded(run.folder))

    def collect(self, ready: Iterable[int]) -> None:
        """Collect attempts that have ended or could not be launched, and continue with those that are ending.

        Parameters
        ----------
        ready : iterable of int
            Descriptors of the executor that have events.
        """
        events = self._executor.poll(ready)
        for end in events:
            if isinstance(end, Exit):
                self._take(end)
        self._learn_of_launches(events)
        unwatched = {each.folder for each in events if isinstance(each, Unwatched)}
        for folder in {*unwatched, *self._attempts.unclear}:
            self._recheck(folder)
        for folder, cleanup in list(self._attempts.cleanups.items()):
            run = self._attempts.running[folder]
            self.guard(run, functools.partial(self._continue_cleanup, run, cleanup))

    def _take(self, end: Exit) -> None:
        run = self._attempts.running.get(end.folder)
        if run is None:
            self._executor.acknowledge([end.folder])  # it was voided before it started
        else:
            self.guard(run, functools.partial(self._clean_up, run, end))

    def _learn_of_launches(self, events: Sequence[Event]) -> None:
        for refusal in events:
            if isinstance(refusal, Refusal):
                self._backoff.failed(refusal.reason)
                self._recheck(refusal.folder)
        if any(isinstance(each, Launched) for each in events):
            self._backoff.worked()

    def _recheck(self, folder: str) -> None:
        run = self._attempts.running.get(folder)
        if run is not None and folder not in self._attempts.cleanups and folder not in self._attempts.ended:
            self.guard(run, functools.partial(self.recover, run))

    def _clean_up(self, run: ActiveAttempt, end: Exit) -> None:
        """Handle a process that is gone: if it never began, it is launched again; otherwise its end is determined."""
        if end.folder in self._attempts.cleanups or end.folder in self._attempts.ended:
            return
        if not (run.begun or end.begun) and start_status.never_started(end.folder):
            run.problem = f"its process ended before it could begin: {start_status.last_words(end.folder)}"
            self._attempts.void(run)
            return
        latest = self._configurations.latest
        grace = latest.kill_grace_seconds if latest.end_children else None
        self._attempts.cleanups[end.folder] = self._executor.clean_up(end, grace)

    def _continue_cleanup(self, run: ActiveAttempt, cleanup: Cleanup) -> None:
        end = cleanup.step()
        if end is None:
            return
        run.survivors, run.left_running = cleanup.survivors, cleanup.left_running
        self._attempts.cleanups.pop(end.folder, None)
        if self._configurations.latest.max_output_bytes is not None:
            log_limit.shorten(end.folder, self._configurations.latest.max_output_bytes)
        self._attempts.ended[end.folder] = end

    # -- endings --------------------------------------------------------------------------------------------------

    def begin_termination(self, run: ActiveAttempt, reason: Outcome, grace: float) -> None:
        """Begin to end an attempt, which is then checked at each tick."""
        self.guard(run, functools.partial(self._begin_termination, run, reason, grace))

    def _begin_termination(self, run: ActiveAttempt, reason: Outcome, grace: float) -> None:
        run.termination = self._executor.cancel(run.folder, reason, grace)

    def continue_terminations(self) -> None:
        """Take the next steps for the attempts that are being ended."""
        for run in list(self._attempts.running.values()):
            if run.termination is not None and run.folder not in self._attempts.ended:
                self.guard(run, functools.partial(self._continue_termination, run))

    def _continue_termination(self, run: ActiveAttempt) -> None:
        assert run.termination is not None
        run.termination.step()
        if run.termination.is_unwatched and not run.elsewhere:
            self._clean_up(run, recorded(run.folder))
