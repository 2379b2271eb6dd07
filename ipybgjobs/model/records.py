"""The values that the store holds: jobs, attempts and their states.

Frozen, without I/O: the content of a row, and its wording for users.
"""

import time
from dataclasses import dataclass
from enum import StrEnum

from . import durations, moments, sizes
from .call import Call
from .redaction import one_line
from .retry import RetrySettings
from .source import SourceFile
from .usual_time import UsualTime


class JobState(StrEnum):
    """The state of a job."""

    QUEUED = "queued"  #: waits for a slot, for its `not_before`, or for a retry
    RUNNING = "running"  #: an attempt holds a slot
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    __repr__ = str.__repr__

    @property
    def ended(self) -> bool:
        """Whether the job has finished: its state changes only if a user retries it."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class Outcome(StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "succeeded"
    ERROR = "error"  #: it raised
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    LOST = "lost"  #: the process vanished: killed, out of memory, reboot
    DENIED = "denied"  #: the allowlist check at launch refused

    __repr__ = str.__repr__


@dataclass(frozen=True, slots=True)
class Owner:
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


@dataclass(frozen=True, slots=True)
class JobRecord:
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

    @property
    def retrying(self) -> bool:
        """Whether the job is waiting for another attempt after a failed one."""
        return self.state is JobState.QUEUED and self.attempt > 0

    @property
    def unlaunchable(self) -> bool:
        """Whether the job is held because it could not be launched, as its error says; none of its attempts has run."""
        return self.state is JobState.QUEUED and self.attempt == 0 and self.error is not None and not self.ready

    def status(self) -> str:
        """Return the state in words, with the time of a retry or a delayed start."""
        if self.state is JobState.QUEUED:
            return self._waits_for()
        if self.state is JobState.RUNNING and self.attempt > 1:
            return f"running, attempt {self.attempt} of {self.allowed_attempts}"
        return str(self.state)

    def _waits_for(self) -> str:
        """Return what a queued job is waiting for."""
        if self.pending_dependencies:
            return (
                "queued, depends on a job"
                if self.pending_dependencies == 1
                else f"queued, depends on {self.pending_dependencies} jobs"
            )
        clock = time.strftime("%H:%M:%S", time.localtime(self.not_before))
        if self.retrying:
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
        """Return the seconds from the first start after the submit or a manual retry to the end or `now`; None before."""
        if self.started_at is None:
            return None
        return max(0.0, (now if self.ended_at is None else self.ended_at) - self.started_at)

    def line(self, now: float, status: str | None = None, usual: UsualTime | None = None) -> str:
        """Describe the job on one line; `status`, `usual`: what is known beyond the record."""
        elapsed = self.elapsed(now)
        parts = [f"job {self.id}", one_line(self.name or ""), str(self.call), status or self.status()]
        if elapsed is not None:
            parts.append(durations.show(elapsed))
        parts.append(str(usual or ""))
        if self.current_error:
            parts.append(one_line(self.current_error))
        return " · ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Attempt:
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
        facts = [self.outcome or "running", self.error, self.launched_by]
        if self.signal is not None:
            facts.append(f"signal {self.signal}")
        if self.ended_at is not None and self.folder is not None:
            facts.append(f"{durations.show(max(0.0, self.ended_at - self.started_at))}")
        if self.cpu_seconds is not None:
            facts.append(f"{durations.show(self.cpu_seconds)} CPU")
        if self.peak_memory is not None:
            facts.append(f"{sizes.show(self.peak_memory)} peak")
        return " · ".join(one_line(fact) for fact in facts if fact)


@dataclass(frozen=True, slots=True)
class GroupRecord:
    """Jobs that were submitted together, from the group's row."""

    id: int
    uid: str
    name: str | None
    target: str
    submitted_at: float
    counts: dict[str, int]  #: jobs by state; only states that have any

    @property
    def total(self) -> int:
        """Number of jobs."""
        return sum(self.counts.values())

    @property
    def live(self) -> int:
        """Number of unfinished jobs."""
        return self.counts.get("queued", 0) + self.counts.get("running", 0)

    def line(self) -> str:
        """Describe the group on one line."""
        states = ", ".join(f"{self.counts[state]:,} {state}" for state in JobState if state in self.counts)
        parts = [f"group {self.id}", one_line(self.name or ""), self.target, f"{self.total:,} jobs: {states or 'none left'}"]
        return " · ".join(part for part in parts if part)
