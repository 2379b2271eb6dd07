"""The tick of the supervisor, in named steps: collect → enforce → answer → start, in one transaction; then its effects.

What a transaction decides is done only after it is committed; if it can't be committed, nothing is forgotten and it is tried
again. Every decision is made from the store and the attempt folders.
"""

import json
import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from .. import __version__, attempt, durations, redaction
from ..errors import StoreError
from ..executors.local import Exit, LocalExecutor, exit_from_folder
from ..folder import StateFolder
from ..models import JobRecord, JobState, Outcome, Owner
from ..process import identity
from ..retry import Failure, next_delay
from ..snapshot import Context, startup_key
from ..store import records, transitions
from ..store.database import Database
from ..store.transitions import Transitions, Verdict
from . import ending, running
from .joblogs import JobLogs
from .policies import Policies
from .running import Found, Running
from .starting import Start, Starter
from .verdict import judge

#: Seconds between two looks at the store that nobody asked for, while there is work.
FALLBACK = 5.0

#: Seconds after which something that failed (a full disk, a locked store) is tried again.
AGAIN = 1.0

#: Seconds after which the time of life is written: along with something else; on its own.
_HEARTBEAT, _SILENCE = 10.0, 30.0

#: Launches of one attempt that follow each other at once.
_PROMPT_LAUNCHES = 3


@dataclass(slots=True)
class _Effects:
    """What a transaction has decided, to be done once it is committed."""

    recorded: list[str] = field(default_factory=list)  # attempt folders whose end is in the store
    starts: list[Start] = field(default_factory=list)
    endings: list[tuple[Running, Outcome, float]] = field(default_factory=list)
    environments: set[int] = field(default_factory=set)  # that may have lost their last job
    messages: list[Callable[[], None]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _End:
    """The end of an attempt, as it was found."""

    job: JobRecord
    run: Running
    verdict: Verdict
    failure: Failure


class Supervisor:
    """Everything that happens to the jobs of one state folder on this host.

    Parameters
    ----------
    folder : StateFolder
        The state folder, whose lock the caller holds.
    clock : callable
        Seconds since the epoch.
    draw : callable
        A random number in [0, 1), for jitter.
    """

    def __init__(
        self, folder: StateFolder, clock: Callable[[], float] = time.time, draw: Callable[[], float] = random.random
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._draw = draw
        self.owner = Owner(identity.host(), identity.pid_namespace())
        self.database = Database(folder.database, durable=False)
        self.executor = LocalExecutor(folder)
        self.policies = Policies()
        self._starter = Starter(folder, self.policies, startup_key(os.environ))
        self._logs = JobLogs(self.policies.latest.logs, folder.logs)
        self._running: dict[str, Running] = {}
        self._ends: dict[str, Exit] = {}  # ended, not yet recorded
        self._voided: dict[str, Running] = {}  # to be launched again
        self._started_at = clock()
        self._heard_at = 0.0
        self._version = -1  # of the store, at the last look
        self._next_due: float | None = None  # when the next delayed job may start
        self._notice: str | None = None
        self._said: str | None = None  # the notice that is in the store
        self._unfolded = False  # whether deleted environment variables still stand in the store's log

    # -- waiting --------------------------------------------------------------------------------------------------

    def filenos(self) -> list[int]:
        """Descriptors worth waiting for."""
        return [*self.executor.filenos(), *self.policies.filenos()]

    def patience(self) -> float | None:
        """Seconds until something is due; None: nothing will be, unless somebody wakes us."""
        if self._unfolded or any(run.ending for run in self._running.values()):
            return ending.INTERVAL
        if self._ends or self._voided:
            return AGAIN
        monotonic = time.monotonic()
        dues = [run.deadline - monotonic for run in self._running.values() if run.deadline is not None]
        limit = self.policies.limit()
        dues += [] if limit is None else [limit - monotonic]
        if self.has_work():
            dues += [FALLBACK] if self._next_due is None else [FALLBACK, self._next_due - self._clock()]
        return max(0.0, min(dues)) if dues else None

    def has_work(self) -> bool:
        """Whether anything is queued, delayed, running or requested."""
        return bool(self._running or self._ends or self._voided) or records.has_work(self.database, self.owner.host)

    # -- the tick -------------------------------------------------------------------------------------------------

    def recover(self) -> None:
        """Find the attempts that are under way."""
        context = transitions.newest_context(self.database.connection)
        if context is not None:
            self.policies.settings(Context.from_text(context))
        for row in transitions.live_attempts(self.database.connection, self.owner.host):
            whole = Transitions(self.database.connection, self.owner, self._clock()).attempt(row["job_id"], row["number"])
            if whole is not None:
                run = Running(row["job_id"], row["number"], self._folder.attempt(whole["folder"]))
                run.deadline = self._deadline(whole["timeout"], whole["attempt_started_at"])
                self.policies.settings(Context.from_text(whole["context_body"]))
                self._find(run)
                if row["ending"] and run.folder in self._running:
                    run.ending = running.begin_ending(run, Outcome(row["ending"]), row["ending_grace"])

    def _deadline(self, timeout: float | None, started_at: float) -> float | None:
        return None if timeout is None else time.monotonic() + timeout - max(0.0, self._clock() - started_at)

    def _find(self, run: Running) -> None:
        found = running.look(run.folder, self.executor)
        if found is Found.VOID:
            self._void(run)
            return
        self._running[run.folder] = run
        run.elsewhere = found is Found.ELSEWHERE
        if found is Found.GONE:
            self._end(exit_from_folder(run.folder))

    def _void(self, run: Running) -> None:
        """Have an attempt launched again that has not started, and never will in its folder."""
        self._running.pop(run.folder, None)
        run.voided_at = time.monotonic()
        self._voided[run.folder] = run

    def tick(self, ready: Iterable[int] = (), *, woken: bool = False) -> None:
        """Do all that is due; never waits.

        Parameters
        ----------
        ready : iterable of int
            Descriptors of `filenos` that have news.
        woken : bool
            Whether somebody says that the store has changed.
        """
        if self._unfolded:
            self._unfolded = not self.database.fold()
        news = self.policies.collect(ready)
        self._collect(ready)
        for run in self._running.values():
            if run.ending is not None:
                run.ending.step()
        if not (news or woken or self._ends or self._voided or self._due() or self._store_changed()):
            return
        if self.policies.unknown:
            return  # where to log, and how long to wait, is about to be known
        self._follow_settings()
        try:
            effects = self._decide()
        except StoreError as error:
            self._notice = str(error)
            return
        self._notice = None
        self._do(effects)
        if self.notice != self._said:
            self.say_heard()

    def _store_changed(self) -> bool:
        version = self.database.changed()
        changed, self._version = version != self._version, version
        return changed

    def _due(self) -> bool:
        now = time.monotonic()
        overdue = any(run.deadline is not None and run.deadline <= now and not run.ending for run in self._running.values())
        clock = self._clock()
        delayed = self._next_due is not None and self._next_due <= clock
        silent = bool(self._running) and clock - self._heard_at >= _SILENCE
        return overdue or delayed or silent or self.policies.problem is not None

    def _collect(self, ready: Iterable[int]) -> None:
        """Step 1: which processes have ended."""
        for end in self.executor.ended(ready):
            if end.status is None:  # no child of a fork server of ours
                running.wait_for_exit_report(end.folder)
                end = exit_from_folder(end.folder)  # noqa: PLW2901 - the same end, better known
            self._end(end)
        for folder in self.executor.orphaned():
            if folder in self._running:
                self._find(self._running[folder])
        for run in self._running.values():
            if run.elsewhere and not running.is_held_elsewhere(run.folder):
                self._end(exit_from_folder(run.folder))

    def _end(self, end: Exit) -> None:
        run = self._running.get(end.folder)
        if run is not None and run.ending is not None:
            run.remains = run.ending.remains()
        self._ends[end.folder] = end

    def _decide(self) -> _Effects:
        now, effects = self._clock(), _Effects()
        with self.database.transaction() as connection:
            change = Transitions(connection, self.owner, now)
            for end in self._ends.values():
                self._record(change, end, effects)
            self._enforce(change, effects)
            for request in change.requests():
                self._answer(change, request, effects)
            self._start(change, effects)
            for environment in effects.environments:
                self._unfolded |= change.release_environment(environment)
            if now - self._heard_at >= _HEARTBEAT:
                self._hear(change, now)
            self._next_due = transitions.next_due(connection, self.owner.host, now)
        self._version = self.database.changed()
        return effects

    # -- step 1: collect ------------------------------------------------------------------------------------------

    def _record(self, change: Transitions, end: Exit, effects: _Effects) -> None:
        effects.recorded.append(end.folder)
        attempt.remove(end.folder, attempt.ENVIRONMENT)
        run = self._running.get(end.folder)
        row = None if run is None else change.attempt(run.job_id, run.number)
        if run is None or row is None:
            return
        reason = None if row["ending"] is None else Outcome(row["ending"])
        job = records.job_record(row)
        try:
            verdict, failure = judge(end, reason, lambda: self._secrets(job, row["environment"]))
        except Exception as error:  # a folder that anybody may have written must not end the supervisor
            verdict, failure = Verdict(Outcome.LOST, f"its outcome can't be read: {type(error).__name__}"), Failure()
        verdict = _with_remains(verdict, run)
        self._follow(change, _End(job, run, verdict, failure), effects)

    def _secrets(self, job: JobRecord, environment: int | None) -> tuple[str, ...]:
        if environment is None:
            return job.call.hidden
        values = json.loads(transitions.environment(self.database.connection, environment))
        names = redaction.secret_names(values, self.policies.latest.secret_names)
        return (*job.call.hidden, *(values[name] for name in names))

    def _follow(self, change: Transitions, end: _End, effects: _Effects) -> None:
        """Record an attempt's end, and what it means for the job."""
        job, number, verdict = end.job, end.run.number, end.verdict
        if not change.end_attempt(job.id, number, verdict):
            return
        effects.environments.update(change.environment_of(job.id))
        head = f"job {job.id} attempt {number} of {job.allowed_attempts} {job.call}"
        if verdict.outcome is Outcome.SUCCEEDED:
            change.end_job(job.id, JobState.SUCCEEDED, verdict.error)
            self._say(effects, f"{head} succeeded" + (f", but {verdict.error}" if verdict.error else ""))
            return
        if verdict.outcome is Outcome.CANCELLED:
            change.end_job(job.id, JobState.CANCELLED, verdict.error)
            self._say(effects, f"{head} was cancelled")
            return
        rules = replace(job.rules, max_attempts=job.allowed_attempts)
        delay = next_delay(rules, number, end.failure, self._draw())
        said = f"{head} failed ({verdict.outcome}): {verdict.error}{_seen(verdict)}"
        if delay is None:
            change.end_job(job.id, JobState.FAILED, verdict.error)
        else:
            change.queue_again(job.id, self._clock() + delay, verdict.error)
            said = f"{said}; next attempt in {durations.show(delay)}"
        effects.messages.append(lambda: self._logs.failure(said, verdict.traceback))

    def _say(self, effects: _Effects, message: str) -> None:
        effects.messages.append(lambda: self._logs.info(message))

    # -- step 2: enforce time-outs --------------------------------------------------------------------------------

    def _enforce(self, change: Transitions, effects: _Effects) -> None:
        now, grace = time.monotonic(), self.policies.latest.kill_grace_seconds
        for run in self._running.values():
            late = run.deadline is not None and run.deadline <= now and run.folder not in self._ends
            if late and change.begin_ending(run.job_id, run.number, Outcome.TIMEOUT, grace):
                effects.endings.append((run, Outcome.TIMEOUT, grace))

    # -- step 3: answer requests ----------------------------------------------------------------------------------

    def _answer(self, change: Transitions, request: sqlite3.Row, effects: _Effects) -> None:
        options = transitions.request_options(request)
        job_id = request["job_id"]
        change.answered(request["id"])
        if request["verb"] == "retry":
            if change.retry(job_id, options):
                self._say(effects, f"job {job_id} is tried again, as asked")
            effects.environments.add(options["environment"])
            return
        grace = self.policies.latest.kill_grace_seconds if options["grace"] is None else options["grace"]
        environment = change.environment_of(job_id)
        if change.cancel_queued(job_id):
            effects.environments.update(environment)
            self._say(effects, f"job {job_id} was cancelled before it started")
            return
        for run in (*self._running.values(), *self._voided.values()):
            if run.job_id == job_id and change.begin_ending(job_id, run.number, Outcome.CANCELLED, grace):
                effects.endings.append((run, Outcome.CANCELLED, grace))

    # -- step 4: start --------------------------------------------------------------------------------------------

    def _start(self, change: Transitions, effects: _Effects) -> None:
        for run in self._voided.values():
            row = change.attempt(run.job_id, run.number)
            if row is None or row["ending"] is not None:
                self._end_unstarted(change, run, row, effects)
            elif row["launches"] > _PROMPT_LAUNCHES and time.monotonic() < run.voided_at + AGAIN:
                continue  # something keeps launches from working: no hurry
            elif start := self._starter.relaunch(change, row):
                effects.starts.append(start)
                effects.recorded.append(run.folder)
        starts, denied = self._starter.claim(change)
        effects.starts += starts
        for row, reason in denied:
            message = f"job {row['id']} denied: {reason}"
            effects.environments.add(row["environment"])
            effects.messages.append(lambda message=message: self._logs.failure(message, None))  # type: ignore[misc] # bound now

    def _end_unstarted(self, change: Transitions, run: Running, row: sqlite3.Row | None, effects: _Effects) -> None:
        effects.recorded.append(run.folder)
        if row is None:
            return
        verdict, failure = judge(Exit(run.folder), Outcome(row["ending"]))
        self._follow(change, _End(records.job_record(row), run, verdict, failure), effects)

    # -- effects --------------------------------------------------------------------------------------------------

    def _do(self, effects: _Effects) -> None:
        for folder in effects.recorded:
            for held in (self._ends, self._running, self._voided):
                held.pop(folder, None)
        for say in effects.messages:
            say()
        self._launch(effects.starts)
        self.executor.acknowledge(effects.recorded)
        for run, reason, grace in effects.endings:
            run.ending = running.begin_ending(run, reason, grace)

    def _launch(self, starts: list[Start]) -> None:
        launches = []
        for start in starts:
            timeout = start.row["timeout"]
            run = Running(start.job_id, start.number, start.folder)
            try:
                environment = transitions.environment(self.database.connection, start.row["environment"])
                launches.append(self._starter.launch(start, environment))
            except OSError as error:
                self._notice = f"job {start.job_id} can't be started: {error}"
                self._void(run)
                continue
            run.deadline = None if timeout is None else time.monotonic() + timeout
            self._running[start.folder] = run
            call = records.job_record(start.row).call
            self._logs.info(f"job {start.job_id} attempt {start.number} of {start.row['allowed_attempts']} {call} started")
        self.executor.launch(launches)

    def _follow_settings(self) -> None:
        if self.policies.latest.logs != self._logs.settings:
            self._logs.close()
            self._logs = JobLogs(self.policies.latest.logs, self._folder.logs)

    @property
    def notice(self) -> str | None:
        """What keeps jobs from starting, or the logs from being written; None if nothing does."""
        return self.policies.problem or self._notice or self._logs.problem

    def say_heard(self) -> None:
        """Write the notice and the time into the store."""
        with self.database.transaction() as connection:
            now = self._clock()
            self._hear(Transitions(connection, self.owner, now), now)

    def _hear(self, change: Transitions, now: float) -> None:
        self._said = self.notice
        change.heard(os.getpid(), __version__, self._started_at, self._said)
        self._heard_at = now

    def close(self) -> None:
        """Let everything go; only when nothing runs."""
        self.executor.close()
        self._logs.close()
        self.database.close()


def _with_remains(verdict: Verdict, run: Running) -> Verdict:
    if not run.remains:
        return verdict
    return replace(verdict, error=f"{verdict.error}; could not be ended: {', '.join(map(str, run.remains))}")


def _seen(verdict: Verdict) -> str:
    if verdict.signal is not None:
        return f" [signal {verdict.signal}]"
    return "" if verdict.exit_code in (None, 0, 1) else f" [exit code {verdict.exit_code}]"
