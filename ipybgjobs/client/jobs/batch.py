"""Several jobs of one state folder, read and watched together: by one statement for all, not one for each.

It never changes a job; `controls` does.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Generic, NamedTuple, TypeVar

from msgspec.structs import replace

from ...model.records import JobRecord, RetryingJobs
from ...state import wake
from ...state.folder import StateFolder
from ...store import listing, selection
from ...store.database import Database
from ...system import interrupt_shield
from . import deadlock, job_status
from .job_client import JobClient
from .job_status import JobStatus
from .view import JobView

AnyJob = TypeVar("AnyJob", bound=JobView)


class DescribedJob(NamedTuple):
    """A job as the store has it, and its state in words."""

    record: JobRecord
    status: JobStatus

    def line(self, now: float) -> str:
        """Describe the job on one line."""
        return self.record.line(now, self.status.text, self.status.usual)


class Batch(Generic[AnyJob]):
    """Jobs of one client that are in one state folder.

    Parameters
    ----------
    client : JobClient
        Their client.
    folder : StateFolder
        Their state folder.
    jobs : sequence of JobView
        The jobs, each once.
    """

    def __init__(self, client: JobClient, folder: StateFolder, jobs: Sequence[AnyJob]) -> None:
        self.client = client
        self.folder = folder
        self.jobs = jobs

    @property
    def ids(self) -> list[int]:
        """The ids of the jobs."""
        return [job.id for job in self.jobs]

    def database(self) -> Database:
        """Open their store."""
        return self.client.database(self.folder)

    def only(self, jobs: Iterable[AnyJob]) -> "Batch[AnyJob]":
        """Return a batch of only these jobs."""
        return Batch(self.client, self.folder, list(jobs))

    def records(self) -> dict[AnyJob, JobRecord]:
        """Read the jobs; those that were removed are missing."""
        found = selection.jobs(self.database(), [job.uid for job in self.jobs])
        if not all(record.state.ended for record in found.values()):
            self.client.ensure_supervisor(self.folder)
        return {job: found[job.uid] for job in self.jobs if job.uid in found}

    def described(self) -> "dict[AnyJob, DescribedJob]":
        """Read the jobs with their states in words; those that were removed are missing."""
        found = self.records()
        statuses = job_status.of_jobs(self.client, self.folder, found.values())
        return {job: DescribedJob(record, statuses[record.id]) for job, record in found.items()}

    def last_folders(self) -> dict[AnyJob, str]:
        """Return the folder of each job's newest attempt that was launched."""
        found = selection.last_folders(self.database(), self.ids)
        return {job: self.folder.attempt(found[job.id]) for job in self.jobs if job.id in found}

    def ended(self) -> list[AnyJob]:
        """Return the finished jobs; a removed job counts as finished."""
        ended = listing.ended_states(self.database(), self.ids)
        return [job for job in self.jobs if job.id in ended]

    def recorded_wait(self, timeout: float | None) -> AbstractContextManager[Callable[[], None]]:
        """Record that the job in this process waits for these jobs; see `deadlock.recorded_wait`."""
        store = deadlock.WaitGraphReader(self.folder, self.database, self.client.settings)
        return deadlock.recorded_wait(store, lambda: self.ids, timeout)

    def ensure_supervisor(self) -> None:
        """Make sure that a supervisor runs."""
        interrupt_shield.run(lambda: wake.ensure_running(self.folder))  # it takes locks that must not stay held


def of(job: AnyJob) -> Batch[AnyJob]:
    """Return a batch of one job."""
    return Batch(job.client, job.state_folder, [job])


def batches(jobs: Iterable[AnyJob]) -> list[Batch[AnyJob]]:
    """Divide jobs by client and state folder; a job that is given twice is in its batch once."""
    found: dict[tuple[int, str], dict[AnyJob, None]] = {}
    for job in jobs:
        found.setdefault((id(job.client), job.state_folder.path), {})[job] = None
    return [of(next(iter(part))).only(part) for part in found.values()]


def records(jobs: Iterable[AnyJob]) -> dict[AnyJob, JobRecord]:
    """Read jobs of any state folders; those that were removed are missing."""
    return {job: record for part in batches(jobs) for job, record in part.records().items()}


def described(jobs: Iterable[AnyJob]) -> dict[AnyJob, DescribedJob]:
    """Read jobs of any state folders with their states in words; those that were removed are missing."""
    return {job: found for part in batches(jobs) for job, found in part.described().items()}


def retrying(jobs: Iterable[AnyJob]) -> RetryingJobs | None:
    """Read which of some jobs, of any state folders, are retrying; None if none is."""
    parts = [found for part in batches(jobs) if (found := listing.retrying(part.database(), part.ids)) is not None]
    first = min(parts, key=lambda part: part.not_before, default=None)
    return None if first is None else replace(first, count=sum(part.count for part in parts))


def last_folders(jobs: Iterable[AnyJob]) -> dict[AnyJob, str]:
    """Return the folder of each job's newest attempt that was launched, for jobs of any state folders."""
    return {job: folder for part in batches(jobs) for job, folder in part.last_folders().items()}
