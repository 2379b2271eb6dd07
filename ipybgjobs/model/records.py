"""The values that the store holds: jobs, attempts and their states.

Frozen, without I/O: the content of a row, and its wording for users.
"""

import time
from enum import StrEnum

from msgspec import Struct

from . import durations, moments, sizes, title
from .call import Call
from .redaction import cut, one_line
from .retry import RetrySettings
from .source import SourceFile
from .usual_time import UsualTime


class JobState(StrEnum):
    """The state of a job."""

    QUEUED = "queued"  #: waits for a slot, or for its `not_before`
    RETRYING = "retrying"  #: an attempt failed, and the retry policy has queued the job again
    RUNNING = "running"  #: an attempt holds a slot
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    __repr__ = str.__repr__

    @property
    def ended(self) -> bool:
        """Whether the job has finished: its state changes only if a user retries it."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)

    @property
    def waiting(self) -> bool:
        """Whether the job waits to start, for the first time or again."""
        return self in (JobState.QUEUED, JobState.RETRYING)


class Outcome(StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "succeeded"
    ERROR = "error"  #: it raised
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    LOST = "lost"  #: the process vanished: killed, out of memory, reboot
    DENIED = "denied"  #: the allowlist check at launch refused

    __repr__ = str.__repr__


class Owner(Struct, frozen=True):
    """The place that processes belong to: PIDs mean nothing elsewhere.

    Parameters
    ----------
    place : str
        Key of the place (see `system.place`): one boot, one PID namespace.
    host : str
        The host name of its machine; only shown, never used for decisions.
    """

    place: str
    host: str


class JobRecord(Struct, frozen=True):
    """One job, from its row; times are seconds since the epoch, UTC."""

    id: int
    uid: str
    call: Call
    name: str | None
    queue: str
    priority: int
    state: JobState
    not_before: float  #: a queued job does not start earlier
    submitted_at: float
    started_at: float | None
    ended_at: float | None
    error: str | None  #: one line, from the last attempt that failed
    attempt: int  #: number of the newest attempt; 0 before the first
    allowed_attempts: int  #: number of attempts allowed, including manual retries
    retry_settings: RetrySettings
    timeout: float | None  #: seconds, for each attempt
    owner: Owner
    ready: bool = False  #: queued, and waiting only for a slot
    pending_dependencies: int = 0  #: number of unfinished jobs that it depends on
    deadline: float | None = None  #: for the whole job
    kept: bool = False  #: neither clean nor retention removes it
    retried_from: int | None = None  #: the job whose parameters were changed for this one
    group_id: int | None = None
    unique_key: str | None = None
    retrying_since: float | None = None  #: when its last attempt failed, if it had to wait for another one
    waited: float = 0.0  #: seconds between its attempts, without those since `retrying_since`
    notebook: str | None = None  #: path of the notebook that submitted it

    @property
    def unlaunchable(self) -> bool:
        """Whether the job is held because it could not be launched, as its error says; none of its attempts has run."""
        return self.state is JobState.QUEUED and self.attempt == 0 and self.error is not None and not self.ready

    def status(self) -> str:
        """Return the state in words, with the time of a retry or a delayed start."""
        if self.state.waiting:
            return self._waits_for()
        if self.state is JobState.RUNNING and self.attempt > 1:
            return f"running, attempt {self.attempt} of {self.allowed_attempts}"
        return str(self.state)

    def _waits_for(self) -> str:
        """Return what a queued job is waiting for."""
        if self.pending_dependencies:
            count = self.pending_dependencies
            return f"{self.state}, depends on {'a job' if count == 1 else f'{count} jobs'}"
        clock = time.strftime("%H:%M:%S", time.localtime(self.not_before))
        if self.state is JobState.RETRYING:
            when = "as soon as a slot is free" if self.ready else f"at {clock}"
            return f"retrying, attempt {self.attempt + 1} of {self.allowed_attempts} {when}"
        if self.unlaunchable:
            return f"queued, held: {self.error}; the next launch is at {clock}"
        delayed = self.not_before > self.submitted_at and not self.ready
        return f"queued, starts at {moments.show(self.not_before)}" if delayed else "queued"

    @property
    def current_error(self) -> str | None:
        """How the last attempt failed; None if none failed, or while another one, which may succeed, is running."""
        said = self.state is JobState.RUNNING or self.unlaunchable or self.error == self.state  # "cancelled" is said already
        return None if said else self.error

    def elapsed(self, now: float) -> float | None:
        """Return the seconds that its attempts have taken since the submit or a manual retry; None before the first."""
        begin, end = self.active_time
        return None if begin is None else max(0.0, (now if end is None else end) - begin)

    @property
    def active_time(self) -> tuple[float | None, float | None]:
        """The begin and end of the time that its attempts took, moved together; None before the first, and while one runs."""
        end = self.ended_at if self.retrying_since is None else self.retrying_since
        return (None if self.started_at is None else self.started_at + self.waited), end

    @property
    def title(self) -> str:
        """The job's name and its call, on one line; a notebook as its file name, a cell as its name alone."""
        return title.of_job(self.name, self.call)

    @property
    def short_title(self) -> str:
        """The job's target; of a notebook or a cell the title."""
        return title.in_sentence(self.name, self.call)

    def line(self, now: float, status: str | None = None, usual: UsualTime | None = None) -> str:
        """Describe the job on one line; `status`, `usual`: what is known beyond the record."""
        elapsed = self.elapsed(now)
        parts = [f"job {self.id}", self.title, status or self.status()]
        if elapsed is not None:
            parts.append(durations.show(elapsed))
        parts.append(str(usual or ""))
        if self.current_error:
            parts.append(one_line(self.current_error))
        return " · ".join(part for part in parts if part)


class Attempt(Struct, frozen=True):
    """One run of a job; what is unknown is None.

    Examples
    --------
    >>> job = ipybgjobs.submit("training.square", {"x": 2}).wait()
    >>> [(attempt.number, attempt.outcome) for attempt in job.attempts]
    [(1, 'succeeded')]
    """

    job_id: int
    number: int  #: from 1
    started_at: float  #: seconds since the epoch, UTC
    ended_at: float | None
    outcome: Outcome | None  #: None while it runs
    error: str | None  #: one line
    traceback: str | None
    exit_code: int | None
    signal: int | None
    peak_memory: int | None  #: bytes
    cpu_seconds: float | None
    launched_by: str | None  #: "fork" or "fresh process"
    launch_reason: str | None  #: why it was not a fork
    folder: str | None  #: relative to the state folder; None if nothing was launched
    owner: Owner
    slot: int | None = None  #: number of its queue's slot, from 0
    source: SourceFile | None = None  #: the target's file as it ran
    origin_id: int | None = None  #: of its origin: interpreter, packages, commit

    def line(self) -> str:
        """Describe the attempt on one line: outcome, reason, and resources used."""
        facts = [self.outcome or "running", None if self.error == self.outcome else self.error, self.launched_by]
        if self.signal is not None:
            facts.append(f"signal {self.signal}")
        if self.ended_at is not None and self.folder is not None:
            facts.append(f"{durations.show(max(0.0, self.ended_at - self.started_at))}")
        if self.cpu_seconds is not None:
            facts.append(f"{durations.show(self.cpu_seconds)} CPU")
        if self.peak_memory is not None:
            facts.append(f"{sizes.show(self.peak_memory)} peak")
        return " · ".join(one_line(fact) for fact in facts if fact)


class RetryingJobs(Struct, frozen=True):
    """The retrying ones of some jobs, of which the next one to start is known."""

    count: int
    not_before: float  #: of the next one
    ready: bool = False  #: whether that waits only for a slot
    error: str | None = None  #: how it failed, on one line

    def line(self) -> str:
        """Return when the next one starts, and why it was not the first time, on one line."""
        when = "as soon as a slot is free" if self.ready else time.strftime("at %H:%M:%S", time.localtime(self.not_before))
        return f"next {when}" + (f": {cut(one_line(self.error))}" if self.error else "")


class GroupRecord(Struct, frozen=True):
    """Jobs that were submitted together, from the group's row."""

    id: int
    uid: str
    name: str | None
    target: str
    submitted_at: float
    counts: dict[str, int]  #: jobs by state; only states that have any
    retrying: RetryingJobs | None = None

    @property
    def total(self) -> int:
        """Number of jobs."""
        return sum(self.counts.values())

    @property
    def live(self) -> int:
        """Number of unfinished jobs."""
        return sum(count for state, count in self.counts.items() if not JobState(state).ended)

    def line(self) -> str:
        """Describe the group on one line."""
        states = ", ".join(self._counted(state) for state in JobState if state in self.counts)
        parts = [f"group {self.id}", one_line(self.name or ""), self.target, f"{self.total:,} jobs: {states or 'none left'}"]
        return " · ".join(part for part in parts if part)

    def _counted(self, state: JobState) -> str:
        text = f"{self.counts[state]:,} {state}"
        return f"{text}, {self.retrying.line()}" if state is JobState.RETRYING and self.retrying else text
