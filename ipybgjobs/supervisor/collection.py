"""The first step of a tick: find attempts that have ended, were lost or never began, one by one.

A problem with one attempt ends that attempt and no other. It changes only what the supervisor holds in memory, never a row, and
it never waits.
"""

import functools
from collections.abc import Callable, Iterable

from ..executors.local import Exit, LocalExecutor, exit_from_folder
from ..model.records import Outcome
from . import attempt_status, log_limit
from .attempt_status import Found
from .attempts import Attempts
from .configurations import Policies
from .exits import Leaving
from .launch_backoff import Backoff
from .running import Running


class Collector:
    """Checks attempts.

    Parameters
    ----------
    attempts : Attempts
        The attempts that the supervisor is handling.
    executor : LocalExecutor
        Launches attempts, and notices their ends.
    policies : Policies
        The configuration files' settings.
    backoff : Backoff
        Informed about which launches worked.
    """

    def __init__(self, attempts: Attempts, executor: LocalExecutor, policies: Policies, backoff: Backoff) -> None:
        self._attempts = attempts
        self._executor = executor
        self._policies = policies
        self._backoff = backoff

    def attend(self, run: Running, look: Callable[[], None]) -> None:
        """Check one attempt: a problem with it ends this attempt and no other."""
        try:
            look()
        except Exception as error:
            self._attempts.give_up(run, f"{type(error).__name__}: {error}")

    def find(self, run: Running) -> None:
        """Determine the status of an attempt that was launched by another supervisor or by a fork server that is gone."""
        found = attempt_status.look(run.folder, self._executor)
        run.begun |= found in (Found.WATCHED, Found.GONE, Found.ELSEWHERE) or run.folder in self._executor.begun
        if found is Found.VOID and not run.begun:
            self._attempts.void(run)
            return
        self._attempts.hold(run, is_unclear=found is Found.UNCLEAR)
        run.elsewhere = found is Found.ELSEWHERE and run.adopted is None
        if found in (Found.GONE, Found.VOID) or (found is Found.ELSEWHERE and not run.elsewhere):
            self._leave(run, exit_from_folder(run.folder))

    def collect(self, ready: Iterable[int]) -> None:
        """Collect attempts that have ended or could not be launched, and continue with those that are ending.

        Parameters
        ----------
        ready : iterable of int
            Descriptors of the executor that have news.
        """
        self._collect_ends(ready)
        self._collect_launches()
        for folder in {*self._executor.orphaned(), *self._attempts.unclear}:
            self._look_again(folder)
        for run in list(self._attempts.running.values()):
            if run.elsewhere and attempt_status.is_gone_elsewhere(run.folder):
                self.attend(run, functools.partial(self._leave, run, exit_from_folder(run.folder)))
        for leaving in list(self._attempts.leaving.values()):
            self.attend(leaving.run, functools.partial(self._go_on_leaving, leaving))

    def _collect_ends(self, ready: Iterable[int]) -> None:
        for end in self._executor.ended(ready):
            run = self._attempts.running.get(end.folder)
            if run is None:
                self._executor.acknowledge([end.folder])  # it was voided before it started
            else:
                self.attend(run, functools.partial(self._leave, run, end))

    def _collect_launches(self) -> None:
        for refusal in self._executor.refused():
            self._backoff.failed(refusal.reason)
            self._look_again(refusal.folder)
        if self._executor.launched:
            self._executor.launched = False
            self._backoff.worked()

    def _look_again(self, folder: str) -> None:
        run = self._attempts.running.get(folder)
        if run is not None and folder not in self._attempts.leaving and folder not in self._attempts.ended:
            self.attend(run, functools.partial(self.find, run))

    def _leave(self, run: Running, end: Exit) -> None:
        """Handle a process that is gone: if it never began, it is launched again; otherwise its end is determined."""
        if end.folder in self._attempts.leaving or end.folder in self._attempts.ended:
            return
        if not (run.begun or end.begun) and attempt_status.never_started(end.folder):
            run.problem = f"its process ended before it could begin: {attempt_status.last_words(end.folder)}"
            self._attempts.void(run)
            return
        latest = self._policies.latest
        self._attempts.leaving[end.folder] = Leaving(run, end, latest.kill_grace_seconds if latest.end_children else None)

    def _go_on_leaving(self, leaving: Leaving) -> None:
        end = leaving.step()
        if end is None:
            return
        self._attempts.leaving.pop(end.folder, None)
        if self._policies.latest.max_output_bytes is not None:
            log_limit.shorten(end.folder, self._policies.latest.max_output_bytes)
        self._attempts.ended[end.folder] = end

    # -- endings --------------------------------------------------------------------------------------------------

    def begin_ending(self, run: Running, reason: Outcome, grace: float) -> None:
        """Begin to end an attempt, which is then checked at each tick."""
        self.attend(run, functools.partial(self._begin_ending, run, reason, grace))

    def _begin_ending(self, run: Running, reason: Outcome, grace: float) -> None:
        run.ending = attempt_status.begin_ending(run, reason, grace, self._executor)

    def go_on_ending(self) -> None:
        """Take the next steps for the attempts that are being ended."""
        for run in list(self._attempts.running.values()):
            if run.ending is not None and run.folder not in self._attempts.ended:
                self.attend(run, functools.partial(self._go_on_ending, run))

    def _go_on_ending(self, run: Running) -> None:
        assert run.ending is not None
        run.ending.step()
        if run.ending.is_unwatched and not run.elsewhere:
            self._leave(run, exit_from_folder(run.folder))
