"""The decisions of one transaction of the supervisor: attempts' ends, timeouts, users' requests, and starts.

It changes only the store; the actions to take after the commit are returned as `Effects`. Files were read before (see
`judgement`), since others wait for a transaction. It reads no clock and draws no random number: when repeated (see
`transaction`), it decides the same.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from ..model import durations
from ..model.records import JobState, Outcome
from ..model.retry import Failure, next_delay
from ..store.requests import AdoptRequest, CancelRequest, Request, RetryRequest, UnreadableRequest
from ..store.schedule import Schedule
from ..store.scheduled_job import Claim, ScheduledJob, UnreadableJob
from ..store.transitions import Transitions, Verdict
from .aftermath import Aftermath
from .attempts import Attempts
from .configurations import ConfigurationCache
from .effects import Effects, Transaction
from .judgement import End
from .launch_backoff import pause
from .running import ActiveAttempt
from .starts import Starter
from .verdict import REASONS

#: Seconds after which something that failed (a full disk, a locked store) is retried.
AGAIN = 1.0

#: Number of launches of one attempt that follow each other without a pause.
_PROMPT_LAUNCHES = 3

_DEADLINE = "its deadline (retry_until) has passed"


class Decider:
    """Makes the decisions.

    Parameters
    ----------
    attempts : Attempts
        The attempts that the supervisor is handling; read, not changed.
    starter : Starter
        Decides which queued jobs start.
    configurations : ConfigurationCache
        The configuration files' settings.
    """

    def __init__(
        self,
        attempts: Attempts,
        starter: Starter,
        configurations: ConfigurationCache,
    ) -> None:
        self._attempts = attempts
        self._starter = starter
        self._configurations = configurations
        self._aftermath = Aftermath(configurations)

    def decide(self, change: Transitions, queues: Schedule, ends: Sequence[End], monotonic: float) -> Effects:
        """Make all changes that are due.

        Parameters
        ----------
        change, queues : Transitions, Schedule
            The transaction.
        ends : sequence of End
            How attempts have ended, already judged.
        monotonic : float
            The monotonic clock, in seconds.
        """
        transaction = Transaction(change, queues, Effects(), monotonic)
        for end in ends:
            self._record(transaction, end)
        self._enforce(transaction, monotonic)
        requests = queues.requests()
        queues.jobs([request.job_id for request in requests if request.job_id is not None])  # so that all are parsed at once
        for request in requests:
            self._answer(transaction, request)
        self._expire(transaction)
        self._start(transaction)
        for environment in transaction.effects.environments:
            transaction.effects.released |= change.release_environment(environment)
        return transaction.effects

    # -- step 1: record ended attempts ----------------------------------------------------------------------------

    def _record(self, transaction: Transaction, end: End) -> None:
        """Record an attempt's end, and its consequence for the job."""
        transaction.effects.recorded.append(end.run.folder)
        if end.claim is not None:
            self._follow(transaction, end.run, end.claim.job, end)

    def _follow(self, transaction: Transaction, run: ActiveAttempt, job: ScheduledJob | UnreadableJob, end: End) -> None:
        verdict = _explained(transaction, run, job, end.verdict)
        if not transaction.change.end_attempt(job.id, run.number, verdict):
            return
        if run.left_running:
            transaction.effects.log(f"{_head(job, run.number)} left running: PID {', '.join(map(str, run.left_running))}")
        if run.is_hook:
            self._end_hook(transaction, job, verdict)
            return
        head = _head(job, run.number)
        if isinstance(job, UnreadableJob):
            self._end(transaction, job, JobState.FAILED, verdict)
            transaction.effects.log_failure(f"{head} failed: {verdict.error}")
        elif verdict.outcome is Outcome.SUCCEEDED:
            self._end(transaction, job, JobState.SUCCEEDED, verdict)
            transaction.effects.log(f"{head} succeeded" + (f", but {verdict.error}" if verdict.error else ""))
        elif verdict.outcome is Outcome.CANCELLED:
            self._end(transaction, job, JobState.CANCELLED, verdict)
            transaction.effects.log(f"{head} was cancelled" + (f": {verdict.error}" if run.survivors else ""))
        else:
            said = f"{head} failed ({verdict.outcome}): {verdict.error}{_seen(verdict)}"
            said += self._fail_or_retry(transaction, job, run.number, verdict, end)
            transaction.effects.log_failure(said, verdict.traceback)

    def _fail_or_retry(self, transaction: Transaction, job: ScheduledJob, number: int, verdict: Verdict, end: End) -> str:
        """Retry by the retry policy, or fail; return how to report it."""
        record = job.record
        rules = replace(record.retry_settings, max_attempts=record.allowed_attempts)
        delay = next_delay(rules, number, end.failure, end.random_draw)
        due = None if delay is None else transaction.schedule.now + delay
        if delay is None or due is None or (record.deadline is not None and due >= record.deadline):
            self._end(transaction, job, JobState.FAILED, verdict)
            return "" if delay is None else "; its deadline (retry_until) leaves no time for another attempt"
        transaction.change.queue_again(record.id, due, verdict.error)
        return f"; next attempt in {durations.show(delay)}"

    def _end(self, transaction: Transaction, job: ScheduledJob | UnreadableJob, state: JobState, verdict: Verdict) -> None:
        hook, same = None, True
        if isinstance(job, ScheduledJob):
            hook = None if verdict.outcome is Outcome.DENIED else job.hook_for(state)
            same = state is not JobState.SUCCEEDED or job.source is None or job.source.is_same(verdict.source)
        if transaction.change.end_job(job.id, state, verdict.error, hook, reusable=same):
            self._aftermath.follow(transaction, job, state, verdict.error)

    def _end_hook(self, transaction: Transaction, job: ScheduledJob | UnreadableJob, verdict: Verdict) -> None:
        transaction.effects.environments.update(transaction.change.environment_of(job.id))
        transaction.change.end_hook(job.id)
        if verdict.outcome is not Outcome.SUCCEEDED:
            text = f"job {job.id}: the hook of {job.target} failed ({verdict.outcome}): {verdict.error}{_seen(verdict)}"
            transaction.effects.log_failure(text, verdict.traceback)

    # -- step 2: enforce timeouts and deadlines -------------------------------------------------------------------

    def _enforce(self, transaction: Transaction, monotonic: float) -> None:
        grace = self._configurations.latest.kill_grace_seconds
        for run in self._attempts.running.values():
            if run.is_late(monotonic, transaction.schedule.now) and run.folder not in self._attempts.ended:
                gone = run.folder in self._attempts.cleanups  # the processes that it left are being ended
                if not gone and transaction.change.begin_ending(run.job_id, run.number, Outcome.TIMEOUT, grace):
                    transaction.effects.endings.append((run, Outcome.TIMEOUT, grace))
                transaction.effects.late.append(run)

    def _expire(self, transaction: Transaction) -> None:
        for job in transaction.schedule.overdue():
            hook = job.hook_for(JobState.FAILED) if isinstance(job, ScheduledJob) and job.record.attempt else None
            if transaction.change.fail_queued(job.id, _DEADLINE, hook):
                transaction.effects.log_failure(f"{_head(job)} failed: {_DEADLINE}")
                self._aftermath.follow(transaction, job, JobState.FAILED, _DEADLINE)

    # -- step 3: answer requests ----------------------------------------------------------------------------------

    def _answer(self, transaction: Transaction, request: Request | UnreadableRequest) -> None:
        transaction.change.delete_request(request.id)
        if isinstance(request, UnreadableRequest):
            transaction.effects.log_failure(
                f"request {request.id} for job {request.job_id} can't be read: it was not written by ipybgjobs"
            )
            return
        match request.asked:
            case CancelRequest(grace):
                self._cancel(transaction, request.job_id, grace)
            case RetryRequest():
                self._retry(transaction, request.job_id, request.asked)
            case AdoptRequest(note):
                self._adopt(transaction, request.job_id, note)

    def _retry(self, transaction: Transaction, job_id: int, asked: RetryRequest) -> None:
        transaction.effects.environments.update(transaction.change.environment_of(job_id))
        if transaction.change.retry(job_id, asked):
            transaction.effects.log(f"job {job_id} queued for a manual retry")
        transaction.effects.environments.add(asked.environment)

    def _adopt(self, transaction: Transaction, job_id: int, note: str) -> None:
        if transaction.change.adopt(job_id, note):
            transaction.effects.adopted = True
            transaction.effects.log(f"job {job_id} was {note}")

    def _cancel(self, transaction: Transaction, job_id: int, asked_grace: float | None) -> None:
        job = transaction.schedule.job(job_id)
        if job is not None and transaction.change.cancel_queued(job_id):
            transaction.effects.log(f"job {job_id} was cancelled before it started")
            self._aftermath.follow(transaction, job, JobState.CANCELLED, None)
            return
        grace = self._configurations.latest.kill_grace_seconds if asked_grace is None else asked_grace
        for run in (*self._attempts.running.values(), *self._attempts.voided.values()):
            wanted = run.job_id == job_id and not run.is_hook
            if (
                wanted
                and transaction.change.begin_ending(job_id, run.number, Outcome.CANCELLED, grace)
                and run.termination is None
            ):
                transaction.effects.endings.append((run, Outcome.CANCELLED, grace))

    # -- step 4: start --------------------------------------------------------------------------------------------

    def _start(self, transaction: Transaction) -> None:
        self._starter.held.clear()
        for run in self._attempts.voided.values():
            self._relaunch(transaction, run)
        refused: list[tuple[ScheduledJob | UnreadableJob, str]] | None = None
        while refused is None or refused:  # jobs that depend on a refused job may be able to start now
            starts, refused = self._starter.claim(transaction)
            transaction.effects.starts += starts
            for job, reason in refused:
                transaction.effects.log_failure(f"job {job.id} denied: {reason}")
                self._aftermath.follow(transaction, job, JobState.FAILED, reason)

    def _relaunch(self, transaction: Transaction, run: ActiveAttempt) -> None:
        """Launch an attempt again after its launch was voided."""
        claim = transaction.schedule.claimed(run.job_id, run.number)
        if claim is None:
            transaction.effects.recorded.append(run.folder)
        elif claim.ending is not None or _is_hook_of_a_live_job(claim):
            reason = claim.ending or Outcome.CANCELLED
            self._end_unstarted(transaction, run, claim, Verdict(reason, REASONS[reason]))
        elif self._starter.backoff.waits or self._rest_of(transaction, run, claim) > 0:
            self._give_back(transaction, run, claim)  # launches are failing: no hurry
        elif refusal := self._starter.refusal(claim.job):
            self._end_unstarted(transaction, run, claim, Verdict(Outcome.DENIED, refusal))
        elif start := self._starter.relaunch(transaction, claim):
            transaction.effects.starts.append(start)
            transaction.effects.recorded.append(run.folder)
            transaction.effects.discarded += [run.folder] if claim.launches > _PROMPT_LAUNCHES else []
        else:
            self._give_back(transaction, run, claim)

    def _rest_of(self, transaction: Transaction, run: ActiveAttempt, claim: Claim) -> float:
        """Return the seconds until an attempt whose launches keep failing may be launched again."""
        return run.voided_at + pause(claim.launches - _PROMPT_LAUNCHES) - transaction.monotonic

    def _give_back(self, transaction: Transaction, run: ActiveAttempt, claim: Claim) -> None:
        """Return a job that can't be launched now to its queue, without a slot; a hook, which has no slot, waits here."""
        if run.is_hook:
            self._starter.hold(claim.job, run.problem)
            return
        rest = 0.0 if self._starter.backoff.waits else self._rest_of(transaction, run, claim)
        due, problem = (transaction.schedule.now + rest, run.problem) if rest > 0 else (None, None)
        if transaction.change.give_back(claim.job.id, run.number, due, problem):
            transaction.effects.recorded.append(run.folder)
            transaction.effects.discarded.append(run.folder)
            transaction.effects.log(
                f"{_head(claim.job, run.number)} did not start and is back in its queue: {self._why(run, claim)}"
            )

    def _why(self, run: ActiveAttempt, claim: Claim) -> str:
        """Return why an attempt could not be launched."""
        unknown = self._configurations.problem_of(claim.job.context) if isinstance(claim.job, ScheduledJob) else None
        return run.problem or self._starter.backoff.reason or unknown or "its configuration has not been read yet"

    def _end_unstarted(self, transaction: Transaction, run: ActiveAttempt, claim: Claim, verdict: Verdict) -> None:
        self._record(transaction, End(run, claim, verdict, Failure(fatal=verdict.outcome is Outcome.DENIED)))


def _explained(transaction: Transaction, run: ActiveAttempt, job: ScheduledJob | UnreadableJob, verdict: Verdict) -> Verdict:
    """Name the job's deadline as the reason for a timeout that it caused."""
    deadline = None if isinstance(job, UnreadableJob) or run.is_hook else job.record.deadline
    if verdict.outcome is Outcome.TIMEOUT and deadline is not None and transaction.schedule.now >= deadline:
        return replace(verdict, error=_DEADLINE)
    return verdict


def _is_hook_of_a_live_job(claim: Claim) -> bool:
    """Return whether it was to call a hook of a job that has been retried in the meantime."""
    return claim.number == 0 and isinstance(claim.job, ScheduledJob) and not claim.job.record.state.ended


def _head(job: ScheduledJob | UnreadableJob, number: int | None = None) -> str:
    """Return the beginning of a log line."""
    if isinstance(job, UnreadableJob):
        return f"job {job.id}" if number is None else f"job {job.id} attempt {number}"
    attempt = "" if number is None else f" attempt {number} of {job.record.allowed_attempts}"
    return f"job {job.id}{attempt} {job.record.call}"


def _seen(verdict: Verdict) -> str:
    if verdict.signal is not None:
        return f" [signal {verdict.signal}]"
    return "" if verdict.exit_code in (None, 0, 1) else f" [exit code {verdict.exit_code}]"
