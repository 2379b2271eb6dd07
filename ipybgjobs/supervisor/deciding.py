"""What one transaction of the supervisor decides: how attempts ended, which are late, what users asked for, what starts.

It changes the store and nothing else; what is to follow once that is committed is returned as `Effects`.
"""

import json
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from .. import durations, redaction
from ..executors.local import Exit
from ..models import JobRecord, JobState, Outcome
from ..retry import Failure, next_delay
from ..store import records, transitions
from ..store.transitions import Transitions, Verdict
from .joblogs import Message
from .policies import Policies
from .running import Attempts, Running
from .starting import Start, Starter
from .verdict import judge

#: Seconds after which something that failed (a full disk, a locked store) is tried again.
AGAIN = 1.0

#: Launches of one attempt that follow each other at once.
_PROMPT_LAUNCHES = 3


@dataclass(slots=True)
class Effects:
    """What a transaction has decided, to be done once it is committed."""

    recorded: list[str] = field(default_factory=list)  #: attempt folders whose end is in the store
    starts: list[Start] = field(default_factory=list)
    endings: list[tuple[Running, Outcome, float]] = field(default_factory=list)
    late: list[Running] = field(default_factory=list)  #: whose timeout has been enforced
    environments: set[int] = field(default_factory=set)  #: that may have lost their last job
    released: bool = False  #: environment variables were deleted
    messages: list[Message] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _End:
    """The end of an attempt, as it was found."""

    job: JobRecord
    run: Running
    verdict: Verdict
    failure: Failure


class Decider:
    """Decides.

    Parameters
    ----------
    attempts : Attempts
        What the supervisor has in hand; read, not changed.
    starter : Starter
        Which queued jobs start.
    policies : Policies
        What the configuration files say.
    clock : callable
        Seconds since the epoch.
    draw : callable
        A random number in [0, 1), for jitter.
    """

    def __init__(
        self, attempts: Attempts, starter: Starter, policies: Policies, clock: Callable[[], float], draw: Callable[[], float]
    ) -> None:
        self._attempts = attempts
        self._starter = starter
        self._policies = policies
        self._clock = clock
        self._draw = draw

    def decide(self, change: Transitions, monotonic: float) -> Effects:
        """Make all changes that are due."""
        effects = Effects()
        for end in self._attempts.ended.values():
            self._record(change, end, effects)
        self._enforce(change, monotonic, effects)
        for request in change.requests():
            self._answer(change, request, effects)
        self._start(change, effects)
        for environment in effects.environments:
            effects.released |= change.release_environment(environment)
        return effects

    # -- step 1: record what has ended ----------------------------------------------------------------------------

    def _record(self, change: Transitions, end: Exit, effects: Effects) -> None:
        effects.recorded.append(end.folder)
        run = self._attempts.running.get(end.folder)
        row = None if run is None else change.attempt(run.job_id, run.number)
        if run is None or row is None:
            return
        reason = None if row["ending"] is None else Outcome(row["ending"])
        job = records.job_record(row)
        try:
            verdict, failure = judge(end, reason, lambda: self._secrets(change, job, row["environment"]))
        except Exception as error:  # a folder that anybody may have written must not end the supervisor
            unread = f"its outcome can't be read: {type(error).__name__}"
            verdict, failure = Verdict(reason or Outcome.LOST, unread), Failure()
        verdict = _with_remains(verdict, run)
        self._follow(change, _End(job, run, verdict, failure), effects)

    def _secrets(self, change: Transitions, job: JobRecord, environment: int | None) -> tuple[str, ...]:
        if environment is None:
            return job.call.hidden
        values = json.loads(change.environment(environment))
        names = redaction.secret_names(values, self._policies.latest.secret_names)
        return (*job.call.hidden, *(values[name] for name in names))

    def _follow(self, change: Transitions, end: _End, effects: Effects) -> None:
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
        effects.messages.append(Message(said, verdict.traceback, failure=True))

    def _say(self, effects: Effects, message: str) -> None:
        effects.messages.append(Message(message))

    # -- step 2: enforce time-outs --------------------------------------------------------------------------------

    def _enforce(self, change: Transitions, monotonic: float, effects: Effects) -> None:
        grace = self._policies.latest.kill_grace_seconds
        for run in self._attempts.running.values():
            if run.is_late(monotonic) and run.folder not in self._attempts.ended:
                if change.begin_ending(run.job_id, run.number, Outcome.TIMEOUT, grace):
                    effects.endings.append((run, Outcome.TIMEOUT, grace))
                effects.late.append(run)

    # -- step 3: answer requests ----------------------------------------------------------------------------------

    def _answer(self, change: Transitions, request: sqlite3.Row, effects: Effects) -> None:
        options = transitions.request_options(request)
        job_id = request["job_id"]
        change.answered(request["id"])
        if request["verb"] == "retry":
            if change.retry(job_id, options):
                self._say(effects, f"job {job_id} is tried again, as asked")
            effects.environments.add(options["environment"])
            return
        grace = self._policies.latest.kill_grace_seconds if options["grace"] is None else options["grace"]
        environment = change.environment_of(job_id)
        if change.cancel_queued(job_id):
            effects.environments.update(environment)
            self._say(effects, f"job {job_id} was cancelled before it started")
            return
        for run in (*self._attempts.running.values(), *self._attempts.voided.values()):
            if run.job_id == job_id and change.begin_ending(job_id, run.number, Outcome.CANCELLED, grace):
                effects.endings.append((run, Outcome.CANCELLED, grace))

    # -- step 4: start --------------------------------------------------------------------------------------------

    def _start(self, change: Transitions, effects: Effects) -> None:
        for run in self._attempts.voided.values():
            row = change.attempt(run.job_id, run.number)
            if row is None or row["ending"] is not None:
                self._end_unstarted(change, run, row, effects)
            elif row["launches"] > _PROMPT_LAUNCHES and time.monotonic() < run.voided_at + AGAIN:
                continue  # something keeps launches from working: no hurry
            elif reason := self._starter.refusal(row):
                effects.recorded.append(run.folder)
                denied = Verdict(Outcome.DENIED, reason)
                self._follow(change, _End(records.job_record(row), run, denied, Failure(fatal=True)), effects)
            elif start := self._starter.relaunch(change, row):
                effects.starts.append(start)
                effects.recorded.append(run.folder)
        starts, refused = self._starter.claim(change)
        effects.starts += starts
        for row, reason in refused:
            message = f"job {row['id']} denied: {reason}"
            effects.environments.add(row["environment"])
            effects.messages.append(Message(message, failure=True))

    def _end_unstarted(self, change: Transitions, run: Running, row: sqlite3.Row | None, effects: Effects) -> None:
        effects.recorded.append(run.folder)
        if row is None:
            return
        verdict, failure = judge(Exit(run.folder), Outcome(row["ending"]))
        self._follow(change, _End(records.job_record(row), run, verdict, failure), effects)


def _with_remains(verdict: Verdict, run: Running) -> Verdict:
    if not run.remains:
        return verdict
    return replace(verdict, error=f"{verdict.error}; could not be ended: {', '.join(map(str, run.remains))}")


def _seen(verdict: Verdict) -> str:
    if verdict.signal is not None:
        return f" [signal {verdict.signal}]"
    return "" if verdict.exit_code in (None, 0, 1) else f" [exit code {verdict.exit_code}]"
