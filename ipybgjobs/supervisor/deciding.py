"""What one transaction of the supervisor decides: how attempts ended, which are late, what users asked for, what starts.

It changes the store and nothing else; what is to follow once that is committed is returned as `Effects`.
"""

import json
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from .. import durations, redaction, source
from ..executors.local import Exit
from ..models import JobState, Outcome
from ..process.memory import Kills
from ..retry import Failure, next_delay
from ..source import Source
from ..store import records, schedule
from ..store.schedule import Schedule
from ..store.transitions import Transitions, Verdict
from .aftermath import Aftermath
from .effects import Effects, Step, hook_for
from .policies import Policies
from .running import Attempts, Running
from .starting import Starter
from .verdict import judge

#: Seconds after which something that failed (a full disk, a locked store) is tried again.
AGAIN = 1.0

#: Launches of one attempt that follow each other at once.
_PROMPT_LAUNCHES = 3

_DEADLINE = "its deadline (retry_until) has passed"


@dataclass(frozen=True, slots=True)
class _End:
    """The end of an attempt, as it was found."""

    row: sqlite3.Row
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
    memory_kills : Kills
        What the kernel counts.
    clock : callable
        Seconds since the epoch.
    draw : callable
        A random number in [0, 1), for jitter.
    """

    def __init__(  # noqa: PLR0913 - what it decides from
        self,
        attempts: Attempts,
        starter: Starter,
        policies: Policies,
        memory_kills: Kills,
        *,
        clock: Callable[[], float],
        draw: Callable[[], float],
    ) -> None:
        self._attempts = attempts
        self._starter = starter
        self._policies = policies
        self._memory_kills = memory_kills
        self._clock = clock
        self._draw = draw
        self._aftermath = Aftermath(policies)

    def decide(self, change: Transitions, queues: Schedule, monotonic: float) -> Effects:
        """Make all changes that are due."""
        step = Step(change, queues, Effects())
        for end in self._attempts.ended.values():
            self._record(step, end)
        self._enforce(step, monotonic)
        for request in queues.requests():
            self._answer(step, request)
        self._expire(step)
        self._start(step)
        for environment in step.effects.environments:
            step.effects.released |= change.release_environment(environment)
        return step.effects

    # -- step 1: record what has ended ----------------------------------------------------------------------------

    def _record(self, step: Step, end: Exit) -> None:
        step.effects.recorded.append(end.folder)
        run = self._attempts.running.get(end.folder)
        row = None if run is None else step.schedule.attempt(run.job_id, run.number)
        if run is None or row is None:
            return
        reason = None if row["ending"] is None else Outcome(row["ending"])
        try:
            verdict, failure = judge(end, reason, lambda: self._secrets(step, row), lambda: self._ran_out_of_memory(run))
        except Exception as error:  # a folder that anybody may have written must not end the supervisor
            unread = f"its outcome can't be read: {type(error).__name__}"
            verdict, failure = Verdict(reason or Outcome.LOST, unread), Failure()
        self._follow(step, _End(row, run, _with_remains(_as_adopted(verdict, run), run), failure))

    def _ran_out_of_memory(self, run: Running) -> bool:
        """Whether the kernel has killed any process for want of memory since an attempt was launched."""
        return run.memory_kills is not None and run.memory_kills != self._memory_kills.now()

    def _secrets(self, step: Step, row: sqlite3.Row) -> tuple[str, ...]:
        hidden = records.call(row).hidden
        if row["environment"] is None:
            return hidden
        values = json.loads(step.change.environment(row["environment"]))
        names = redaction.secret_names(values, self._policies.latest.secret_names)
        return (*hidden, *(values[name] for name in names))

    def _follow(self, step: Step, end: _End) -> None:
        """Record an attempt's end, and what it means for the job."""
        row, run = end.row, end.run
        verdict = self._explained(end)
        submitted = None if row["source"] is None else Source.from_json(json.loads(row["source"]))
        ran = source.as_run(verdict.source, submitted)
        verdict = replace(verdict, source=verdict.source if ran is None else ran.to_json())
        if not step.change.end_attempt(row["id"], run.number, verdict):
            return
        if run.is_hook:
            self._end_hook(step, row, verdict)
            return
        head = f"job {row['id']} attempt {run.number} of {row['allowed_attempts']} {records.call(row)}"
        if verdict.outcome is Outcome.SUCCEEDED:
            self._end(step, row, JobState.SUCCEEDED, verdict)
            step.effects.say(f"{head} succeeded" + (f", but {verdict.error}" if verdict.error else ""))
        elif verdict.outcome is Outcome.CANCELLED:
            self._end(step, row, JobState.CANCELLED, verdict)
            step.effects.say(f"{head} was cancelled" + (f": {verdict.error}" if run.remains else ""))
        else:
            said = f"{head} failed ({verdict.outcome}): {verdict.error}{_seen(verdict)}"
            said += self._fail_or_retry(step, end, verdict)
            step.effects.fail(said, verdict.traceback)

    def _explained(self, end: _End) -> Verdict:
        """A time-out by the job's deadline says so."""
        deadline = end.row["deadline"]
        if end.verdict.outcome is Outcome.TIMEOUT and deadline is not None and self._clock() >= deadline and not end.run.is_hook:
            return replace(end.verdict, error=_DEADLINE)
        return end.verdict

    def _fail_or_retry(self, step: Step, end: _End, verdict: Verdict) -> str:
        """Retry by rule, or fail; say which."""
        record, number = records.job_record(end.row), end.run.number
        rules = replace(record.rules, max_attempts=record.allowed_attempts)
        delay = next_delay(rules, number, end.failure, self._draw())
        due = None if delay is None else self._clock() + delay
        if delay is None or due is None or (record.deadline is not None and due >= record.deadline):
            self._end(step, end.row, JobState.FAILED, verdict)
            return "" if delay is None else "; its deadline (retry_until) leaves no time for another attempt"
        step.change.queue_again(record.id, due, verdict.error)
        return f"; next attempt in {durations.show(delay)}"

    def _end(self, step: Step, row: sqlite3.Row, state: JobState, verdict: Verdict) -> None:
        hook = None if verdict.outcome is Outcome.DENIED else hook_for(row, state)
        same = (
            state is not JobState.SUCCEEDED
            or row["source"] is None
            or Source.from_json(json.loads(row["source"])).is_same((verdict.source or [])[:3])
        )
        if step.change.end_job(row["id"], state, verdict.error, hook, reusable=same):
            self._aftermath.follow(step, row, state, verdict.error)

    def _end_hook(self, step: Step, row: sqlite3.Row, verdict: Verdict) -> None:
        step.effects.environments.update(step.change.environment_of(row["id"]))
        step.change.end_hook(row["id"])
        if verdict.outcome is not Outcome.SUCCEEDED:
            text = f"job {row['id']}: the hook of {row['target']} failed ({verdict.outcome}): {verdict.error}{_seen(verdict)}"
            step.effects.fail(text, verdict.traceback)

    # -- step 2: enforce time-outs and deadlines ------------------------------------------------------------------

    def _enforce(self, step: Step, monotonic: float) -> None:
        grace = self._policies.latest.kill_grace_seconds
        for run in self._attempts.running.values():
            if run.is_late(monotonic, self._clock()) and run.folder not in self._attempts.ended:
                if step.change.begin_ending(run.job_id, run.number, Outcome.TIMEOUT, grace):
                    step.effects.endings.append((run, Outcome.TIMEOUT, grace))
                step.effects.late.append(run)

    def _expire(self, step: Step) -> None:
        for row in step.schedule.overdue():
            if step.change.fail_queued(row["id"], _DEADLINE, hook_for(row, JobState.FAILED) if row["attempt"] else None):
                step.effects.fail(f"job {row['id']} {records.call(row)} failed: {_DEADLINE}")
                self._aftermath.follow(step, row, JobState.FAILED, _DEADLINE)

    # -- step 3: answer requests ----------------------------------------------------------------------------------

    def _answer(self, step: Step, request: sqlite3.Row) -> None:
        options = schedule.request_options(request)
        job_id = request["job_id"]
        step.change.answered(request["id"])
        if request["verb"] == "retry":
            step.effects.environments.update(step.change.environment_of(job_id))
            if step.change.retry(job_id, options):
                step.effects.say(f"job {job_id} is tried again, as asked")
            step.effects.environments.add(options["environment"])
            return
        if request["verb"] == "adopt":
            if step.change.adopt(job_id, options["note"]):
                step.effects.adopted = True
                step.effects.say(f"job {job_id} was {options['note']}")
            return
        row = step.schedule.job(job_id)
        if row is not None and step.change.cancel_queued(job_id):
            step.effects.say(f"job {job_id} was cancelled before it started")
            self._aftermath.follow(step, row, JobState.CANCELLED, None)
            return
        grace = self._policies.latest.kill_grace_seconds if options["grace"] is None else options["grace"]
        for run in (*self._attempts.running.values(), *self._attempts.voided.values()):
            wanted = run.job_id == job_id and not run.is_hook
            if wanted and step.change.begin_ending(job_id, run.number, Outcome.CANCELLED, grace) and run.ending is None:
                step.effects.endings.append((run, Outcome.CANCELLED, grace))

    # -- step 4: start --------------------------------------------------------------------------------------------

    def _start(self, step: Step) -> None:
        for run in self._attempts.voided.values():
            self._relaunch(step, run)
        refused: list[tuple[sqlite3.Row, str]] | None = None
        while refused is None or refused:  # what comes after a job that was refused may start now
            starts, refused = self._starter.claim(step)
            step.effects.starts += starts
            for row, reason in refused:
                step.effects.fail(f"job {row['id']} denied: {reason}")
                self._aftermath.follow(step, row, JobState.FAILED, reason)

    def _relaunch(self, step: Step, run: Running) -> None:
        """Launch an attempt again whose launch was voided."""
        row = step.schedule.attempt(run.job_id, run.number)
        if row is None or row["ending"] is not None or (run.is_hook and not JobState(row["state"]).ended):
            self._end_unstarted(step, run, row)
        elif row["launches"] > _PROMPT_LAUNCHES and time.monotonic() < run.voided_at + AGAIN:
            pass  # something keeps launches from working: no hurry
        elif reason := self._starter.refusal(row):
            step.effects.recorded.append(run.folder)
            self._follow(step, _End(row, run, Verdict(Outcome.DENIED, reason), Failure(fatal=True)))
        elif start := self._starter.relaunch(step.change, row):
            step.effects.starts.append(start)
            step.effects.recorded.append(run.folder)

    def _end_unstarted(self, step: Step, run: Running, row: sqlite3.Row | None) -> None:
        step.effects.recorded.append(run.folder)
        if row is None:
            return
        verdict, failure = judge(Exit(run.folder), Outcome(row["ending"] or Outcome.CANCELLED))
        self._follow(step, _End(row, run, verdict, failure))


def _as_adopted(verdict: Verdict, run: Running) -> Verdict:
    """What nobody saw, but somebody has said."""
    return replace(verdict, error=run.adopted) if run.adopted and verdict.outcome is Outcome.LOST else verdict


def _with_remains(verdict: Verdict, run: Running) -> Verdict:
    if not run.remains:
        return verdict
    left = f"could not be ended: {', '.join(map(str, run.remains))}"
    return replace(verdict, error=f"{verdict.error}; {left}" if verdict.error else left)


def _seen(verdict: Verdict) -> str:
    if verdict.signal is not None:
        return f" [signal {verdict.signal}]"
    return "" if verdict.exit_code in (None, 0, 1) else f" [exit code {verdict.exit_code}]"
