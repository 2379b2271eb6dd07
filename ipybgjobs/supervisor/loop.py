"""The tick of the supervisor: find ended attempts, decide everything that is due in one transaction, then act on it.

The decisions of a transaction are carried out only after its commit; if the commit fails, nothing is forgotten and it is
retried. Every decision is based on the store and the attempt folders.
"""

import contextlib
import functools
import math
import os
import random
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .._version import __version__
from ..errors import StoreDamaged, StoreError
from ..executors.executor import Executor
from ..model.records import Owner
from ..state import damage
from ..state.folder import StateFolder, remove_tree
from ..store import places, queries, schedule
from ..store.database import Database
from ..store.notices import Notices
from ..store.schedule import Schedule
from ..store.scheduled_job import Claim, ScheduledJob
from ..store.transitions import Transitions
from ..system import identity, oom, place
from ..system.open_folder import HeldFolder
from . import log_limit, start_status, unlogged_ends
from .attempts import Attempts
from .clock_changes import Timing
from .collection import Collector
from .configurations import ConfigurationCache
from .decisions import AGAIN, Decider
from .effects import Effects
from .helpers import Helpers
from .job_logs import LogWriter, Message
from .judgement import Judge
from .launches import LONGEST_HOOK, Launcher
from .log_limit import Limiter
from .notification import Notifier
from .origins import Origins
from .retention import Retention
from .running import ActiveAttempt
from .starts import Starter
from .takeovers import PlaceTakeover
from .transaction import Transactions

#: Seconds between two checks of the store without a wake-up, while there is work.
FALLBACK = 5.0

#: Seconds between two checks of attempts that are being ended, and between two tries of what the store has refused.
INTERVAL = 0.03

#: Seconds after which deleted secrets are purged from the store's log; each purge slows down the next commits.
CHECKPOINT_AFTER = 2.0

#: Seconds between two checks of the configuration files while a job waits for a slot.
_CONFIGURATION_LOOK = 0.5

#: Seconds after which the heartbeat is written: together with another change, and on its own.
_HEARTBEAT, _SILENCE = 10.0, 30.0


class Supervisor:
    """Manages the jobs of one state folder in this place.

    Parameters
    ----------
    folder : StateFolder
        The state folder, whose lock the caller holds.
    executor : Executor
        Launches the attempts.
    clock : callable
        Seconds since the epoch.
    draw : callable
        Returns a random number in [0, 1), for jitter.
    since_boot : callable
        Seconds since the machine booted, including sleep; this clock can't be set.
    """

    def __init__(
        self,
        folder: StateFolder,
        executor: Executor,
        clock: Callable[[], float] = time.time,
        draw: Callable[[], float] = random.random,
        since_boot: Callable[[], float] = identity.since_boot,
    ) -> None:
        self._folder = folder
        self.held = HeldFolder(folder.path)  #: the same folder, wherever it is moved
        self._clock = clock
        self.owner = Owner(place.here(), identity.host())
        self.database = Database(folder.database, durable=False, supervising=True)
        self.executor = executor
        helpers = Helpers()
        self.configurations = ConfigurationCache(helpers)
        self._starter = Starter(folder, self.configurations, self.executor)
        self._logs = LogWriter(folder, self.held)
        self._backoff = self._starter.backoff
        self._attempts = Attempts()
        self._memory_kills = oom.OomKills()
        self._collector = Collector(self._attempts, self.executor, self.configurations, self._backoff)
        self._judge = Judge(self._attempts, self.configurations, self._memory_kills, draw)
        self._decider = Decider(self._attempts, self._starter, self.configurations)
        self._transactions = Transactions(self.database, self.owner)
        self._notifier = Notifier(folder)
        self._limiter = Limiter()
        self._origins = Origins(helpers)
        self._launcher = Launcher(self._attempts, self._starter, self.executor, self._memory_kills, self._origins, self._logs)
        self._found_origins: list[tuple[str, list[tuple[int, int]]]] = []  # not yet in the store
        self._takeover = PlaceTakeover(folder, self.database, self.owner)
        self._timing = Timing(self.database, self.owner, clock, since_boot)
        self._retention = Retention(folder, self.database, clock)
        self._started_at = clock()
        self._heard_at = -math.inf  # on the monotonic clock
        self._untold: Sequence[Any] = ()  # ends that may be missing from the log
        self._version = -1  # of the store, at the last check
        self._next_due: float | None = None  # when the next delayed job may start
        self._notice: str | None = None
        self._refused = False  # whether the store refused the last transaction
        self._said: str | None = None  # the notice that is stored
        self._silent: str | None = None  # what it says about silent fork servers
        self.has_decided = False  #: whether a transaction has been completed in this store
        self._checkpoint_at: float | None = None  # when to purge deleted environment variables from the store's log too

    # -- waiting --------------------------------------------------------------------------------------------------

    def filenos(self) -> list[int]:
        """Return the descriptors to wait for."""
        return [*self.executor.filenos(), *self.configurations.filenos(), *self._origins.filenos()]

    def seconds_until_due(self) -> float | None:
        """Return the seconds until something is due; None: nothing will be due without a wake-up."""
        if self._attempts.cleanups or any(run.termination for run in self._attempts.running.values()):
            return INTERVAL
        executor_due = self.executor.seconds_until_due()
        if self._attempts.ended or self._attempts.voided or self._attempts.unclear or self._refused:
            return AGAIN if executor_due is None else min(AGAIN, executor_due)
        monotonic, clock = time.monotonic(), self._clock()
        lefts = [run.left(monotonic, clock) for run in self._attempts.running.values() if not run.late]
        dues = [left for left in lefts if left < math.inf]
        dues += [self._retention.wait()] if self._retention.busy else []
        dues += [INTERVAL] if self._notifier.busy else []
        dues += [log_limit.INTERVAL] if self._attempts.running and self.configurations.latest.max_output_bytes else []
        dues += [_CONFIGURATION_LOOK] if self._starter.waiting else []
        limit = self.configurations.limit()
        dues += [] if limit is None else [limit - monotonic]
        dues += [left for left in (executor_due, self._backoff.left) if left is not None]
        if self.has_work():
            dues += [FALLBACK] if self._next_due is None else [FALLBACK, self._next_due - clock]
        takeover = self._takeover.wait()
        dues += [takeover] if dues and takeover is not None else []
        return max(0.0, min([*dues, self.until_checkpoint()])) if dues else None

    def until_checkpoint(self) -> float:
        """Return the seconds until the store's log has to be emptied; infinite if it contains no deleted data."""
        return math.inf if self._checkpoint_at is None else max(0.0, self._checkpoint_at - time.monotonic())

    def has_work(self) -> bool:
        """Return whether anything is queued, delayed, running or requested, or a notification is pending."""
        return (
            self._attempts.any()
            or self._notifier.busy
            or self._origins.busy
            or bool(self._found_origins)
            or self._takeover.waiting
            or queries.has_work(self.database, self.owner.place)
        )

    # -- the tick -------------------------------------------------------------------------------------------------

    def recover(self) -> None:
        """Find the current attempts, and the work that a dead supervisor left."""
        self._checkpoint_at = time.monotonic() + CHECKPOINT_AFTER
        context = schedule.newest_context(self.database.connection, self.owner.place)
        if context is not None:
            self.configurations.settings(context)
        with (
            contextlib.suppress(StoreError),
            self.database.transaction() as connection,
        ):  # a full disk: the next submit records it
            places.record_own(connection, self._folder.path)
        self._inherit()
        self._find_new()

    def _inherit(self) -> None:
        """Take over the jobs of places that are gone."""
        try:
            said = self._takeover.step()
        except StoreDamaged:
            raise
        except StoreError:
            return  # reported and retried with the next decisions
        for text in said:
            self._logs.write(Message(text))
            self._version = -1  # their work has to be checked

    def _find_new(self) -> None:
        """Find this place's attempts that are not handled yet: those of a dead supervisor, or of a place that is gone."""
        held = {(run.job_id, run.number) for run in self._attempts.all()}
        with self.database.reading() as connection:
            queues = Schedule(connection, self.owner, self._clock())
            found = [each for each in schedule.live_attempts(connection, self.owner.place) if each not in held]
            claims = [(*each, queues.claimed(*each)) for each in found]
        for job_id, number, claim in claims:
            if claim is not None:
                run = ActiveAttempt(job_id, number, self._folder.attempt(claim.folder), adopted=claim.adopted)
                self._collector.guard(run, functools.partial(self._resume, run, claim))

    def _resume(self, run: ActiveAttempt, claim: Claim) -> None:
        """Continue with an attempt that another supervisor left."""
        timeout, until = LONGEST_HOOK if run.is_hook else None, None
        if isinstance(claim.job, ScheduledJob):
            self.configurations.settings(claim.job.context)
            timeout, until = (timeout, None) if run.is_hook else (claim.job.record.timeout, claim.job.record.deadline)
        self._collector.recover(run)
        run.deadline = None if timeout is None else start_status.began(run.folder, claim.started_at) + timeout
        run.until = until
        if claim.ending and run.folder in self._attempts.running:
            self._collector.begin_termination(run, claim.ending, claim.grace)

    def tick(self, ready: Iterable[int] = (), *, woken: bool = False) -> None:
        """Do everything that is due; never waits.

        Parameters
        ----------
        ready : iterable of int
            Descriptors of `filenos` that have news.
        woken : bool
            Whether a client reported a change of the store.
        """
        if not self.database.is_there():
            raise StoreDamaged(f"The store {self.database.path} or its write-ahead log was removed or replaced while open.")
        if self._checkpoint_at is not None and time.monotonic() >= self._checkpoint_at:
            self._checkpoint_at = None if self.database.checkpoint() else time.monotonic() + INTERVAL
        self._follow_clock()
        for problem in self._notifier.step():
            self._logs.write(Message(problem, failure=True))
        news = self.configurations.collect(ready)
        self._found_origins += self._origins.step()
        self._retention.step(self.configurations.latest)
        self._inherit()
        self._limiter.step(self._attempts.running, self.configurations.latest.max_output_bytes)
        self._collector.collect(ready)
        self._collector.continue_terminations()
        changed = self._store_changed()
        if changed:
            self._takeover.recheck()
            self._find_new()
        known = news or woken or self._refused or self._attempts.ended or self._attempts.voided or self._found_origins
        if not (known or self._due() or changed):
            return
        if self.configurations.unknown:
            return  # the log settings and the idle time will be known soon
        self._follow_settings()
        self._log_missing_ends()
        try:
            effects = self._decide()
        except StoreDamaged:
            raise
        except StoreError as error:
            self._notice, self._refused = str(error), True
            return
        self._notice, self._refused = None, False
        self._do(effects)
        if self.notice != self._said:
            self.record_heartbeat()

    def _log_missing_ends(self) -> None:
        """Log the ends that a dead supervisor had recorded but not logged, once the log settings are known."""
        if not self.has_decided:
            self._untold = queries.recent_ends(self.database, self.owner.place)
        if self._untold and self.configurations.is_read:
            everything, _ = self.configurations.latest.logs.files(self._folder.logs)
            for message in unlogged_ends.missing_lines(self.database, self._untold, everything):
                self._logs.write(message)
            self._untold = ()

    def _store_changed(self) -> bool:
        version = self.database.changed()
        changed, self._version = version != self._version, version
        return changed

    def _due(self) -> bool:
        now = time.monotonic()
        clock = self._clock()
        overdue = any(run.is_late(now, clock) for run in self._attempts.running.values())
        delayed = self._next_due is not None and self._next_due <= clock
        silent = bool(self._attempts.running) and now - self._heard_at >= _SILENCE
        stale = self._starter.waiting and self.configurations.changed()
        held = self.configurations.problem is not None or (self._backoff.reason is not None and not self._backoff.waits)
        return overdue or delayed or silent or stale or held or self.executor.problem != self._silent

    def _follow_clock(self) -> None:
        """Keep delays at their intended length if the clock was set."""
        if not self._timing.follow():
            return
        self._version = -1  # due times have to be looked up again
        for run in self._attempts.running.values():
            self._shift_deadline(run)

    def _shift_deadline(self, run: ActiveAttempt) -> None:
        job = Schedule(self.database.connection, self.owner, self._clock()).job(run.job_id)
        run.until = None if run.is_hook or not isinstance(job, ScheduledJob) else job.record.deadline

    def _decide(self) -> Effects:
        now = self._clock()
        self.configurations.refresh()
        with self.database.reading() as connection:
            ends = self._judge.judge_all(Schedule(connection, self.owner, now))
        monotonic = time.monotonic()
        silent = monotonic - self._heard_at >= _HEARTBEAT

        def act(change: Transitions, queues: Schedule) -> Effects:
            self._timing.give(queues)
            effects = self._decider.decide(change, queues, ends, monotonic)
            for body, attempts in self._found_origins:
                change.note_origin(body, attempts)
            if silent:
                self._record_heartbeat(change)
            self._next_due = queues.next_due()
            return effects

        effects = self._transactions.make(now, act)
        self._found_origins.clear()
        self.configurations.begin()
        self._version = self.database.changed()
        self.has_decided = True
        return effects

    # -- effects --------------------------------------------------------------------------------------------------

    def _do(self, effects: Effects) -> None:
        if effects.released and self._checkpoint_at is None:
            self._checkpoint_at = time.monotonic() + CHECKPOINT_AFTER
        for folder in effects.recorded:
            self._attempts.forget(folder)
        for folder in effects.discarded:
            remove_tree(folder)
        if not (effects.starts or self._attempts.voided or self._backoff.waits):
            self._backoff.worked()  # no failed launch is left
        self._notifier.add(effects.finish_commands)
        for message in effects.messages:
            self._logs.write(message)
        self.executor.acknowledge(effects.recorded)
        self._launcher.launch(effects.starts)
        if effects.adopted:
            self._find_new()
        for run in effects.late:
            run.late = True
        for run, reason, grace in effects.endings:
            self._collector.begin_termination(run, reason, grace)

    def _follow_settings(self) -> None:
        settings = self.configurations.logs
        if settings is not None:
            self._logs.follow(settings)

    @property
    def notice(self) -> str | None:
        """The reasons that jobs can't start or logs can't be written, in the form of `Notices`; None if there are none."""
        reason = self._backoff.reason
        stuck = None if reason is None else f"no job can be started at the moment; retrying: {reason}"
        general = self._notice or stuck or self.executor.problem or self._logs.problem
        return Notices(general, dict(self._starter.held)).to_text()

    def record_heartbeat(self) -> None:
        """Write the notice and the heartbeat to the store."""
        with self.database.transaction() as connection:
            self._record_heartbeat(Transitions(connection, self.owner, self._clock()))

    def _record_heartbeat(self, change: Transitions) -> None:
        self._said, self._silent, self._heard_at = self.notice, self.executor.problem, time.monotonic()
        change.record_heartbeat(os.getpid(), __version__, self._started_at, self._said, self._heard_at)

    def abandon_store(self, why: StoreDamaged) -> None:
        """Close a store that can't be used, and log it; running jobs continue, and are found when it is opened next."""
        if self.database.is_there():
            damage.record(self._folder, str(why))
        self._logs.write(Message(f"{why} The supervisor has closed it; running jobs continue.", failure=True))
        self._origins.close()
        self.executor.leave()
        self._logs.close()
        self.held.close()
        self.database.close_stale()

    def close(self) -> None:
        """Release everything; only when nothing runs."""
        if self._checkpoint_at is not None:
            self.database.checkpoint()
        self._origins.close()
        self.executor.close()
        self._logs.close()
        self.held.close()
        self.database.close()
