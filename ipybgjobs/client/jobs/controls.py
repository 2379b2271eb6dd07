"""The changes that a user may make to jobs: one request for all the jobs of a state folder, whether one or many.

Jobs that can't be changed are skipped, each with the error that explains why: `Job` raises it, `JobList` returns it. Each kind of
change is a class; a new one goes here. Nothing here waits for a job to finish.
"""

from collections.abc import Iterable, Mapping
from typing import Generic, Protocol

from msgspec import Struct, field

from ...errors import BackgroundJobError, DuplicateJob, InvalidRequest, UnknownJob
from ...model import surface
from ...model.records import JobRecord, JobState
from ...state import occupancy
from ...state.folder import StateFolder
from ...store import duplicates, queries, selection
from ...system import interrupt_shield, place
from . import waiting
from .batch import AnyJob, Batch, batches
from .view import JobView


class Changed(Struct, Generic[AnyJob], frozen=True):
    """The result of a change.

    Parameters
    ----------
    done : list
        The jobs that were changed.
    refused : mapping
        The others, each with the error that explains why.
    """

    done: list[AnyJob] = field(default_factory=list)
    refused: dict[AnyJob, BackgroundJobError] = field(default_factory=dict)


class Control(Protocol):
    """A change that a user may make to jobs, with its arguments."""

    def refusals(self, part: Batch[AnyJob], records: Mapping[AnyJob, JobRecord]) -> Mapping[AnyJob, BackgroundJobError]:
        """Return the jobs that can't be changed, with the reasons."""

    def request(self, part: Batch[AnyJob], records: Mapping[AnyJob, JobRecord]) -> Iterable[AnyJob]:
        """Change the jobs of a batch, and return those that were changed."""

    def failure(self, job: JobView, record: JobRecord) -> BackgroundJobError:
        """Return why a job was not changed although `refusals` did not name it."""


def apply(control: Control, jobs: Iterable[AnyJob], *, strict: bool) -> Changed[AnyJob]:
    """Change jobs.

    Parameters
    ----------
    control : Control
        The change.
    jobs : iterable of JobView
        The jobs.
    strict : bool
        Whether to raise the first refusal, before anything is changed.

    Raises
    ------
    BackgroundJobError
        If `strict`, and a job can't be changed.
    """
    wanted = list(dict.fromkeys(jobs))
    fit, refused = _divided(control, wanted)
    _raise_first(wanted, refused, strict=strict)
    done = {job for part, records in fit if part.jobs for job in _requested(control, part, records, refused)}
    _raise_first(wanted, refused, strict=strict)
    return Changed([job for job in wanted if job in done], {job: refused[job] for job in wanted if job in refused})


def check(control: Control, jobs: Iterable[AnyJob]) -> None:
    """Raise the first refusal that `apply` would raise; changes nothing."""
    wanted = list(jobs)
    _raise_first(wanted, _divided(control, wanted)[1], strict=True)


_Fit = list[tuple[Batch[AnyJob], Mapping[AnyJob, JobRecord]]]


def _divided(control: Control, jobs: Iterable[AnyJob]) -> tuple[_Fit[AnyJob], dict[AnyJob, BackgroundJobError]]:
    """Return the jobs that can be changed, in batches with their records, and the refusals of the others."""
    fit, refused = list[tuple[Batch[AnyJob], Mapping[AnyJob, JobRecord]]](), dict[AnyJob, BackgroundJobError]()
    for part in batches(jobs):
        records = part.records()
        unfit = {job: _removed(job) for job in part.jobs if job not in records} | dict(control.refusals(part, records))
        refused |= {job: unfit[job] for job in part.jobs if job in unfit}
        kept = {job: record for job, record in records.items() if job not in unfit}
        fit.append((part.only(kept), kept))
    return fit, refused


def _requested(
    control: Control,
    part: Batch[AnyJob],
    records: Mapping[AnyJob, JobRecord],
    refused: dict[AnyJob, BackgroundJobError],
) -> list[AnyJob]:
    """Request a change, add the jobs that were refused only then, and return those that were changed."""
    granted = list(control.request(part, records))
    left = part.only(records.keys() - set(granted))
    if left.jobs:
        now = left.records()
        why = {job: control.failure(job, record) for job, record in now.items()} | dict(control.refusals(left, now))
        refused |= {job: why.get(job) or _removed(job) for job in left.jobs}
    return granted


def _raise_first(wanted: Iterable[AnyJob], refused: Mapping[AnyJob, BackgroundJobError], *, strict: bool) -> None:
    for job in wanted:
        if strict and job in refused:
            raise refused[job]


def _removed(job: JobView) -> UnknownJob:
    return UnknownJob(f"Job {job.id} is no longer in {job.state_folder.database}.")


# -- the controls -----------------------------------------------------------------------------------------------------


class Cancel(Struct, frozen=True):
    """Cancel unfinished jobs; `grace`: seconds allowed for each step, or None for the configured ones."""

    grace: float | None

    def refusals(self, part: Batch[AnyJob], records: Mapping[AnyJob, JobRecord]) -> Mapping[AnyJob, BackgroundJobError]:
        """Refuse finished jobs, and jobs elsewhere that no supervisor would cancel."""
        unattended = _unattended_places(part.folder, records.values())
        ended = {job: _already(job, record.state) for job, record in records.items() if record.state.ended}
        return ended | {
            job: out_of_reach(job) for job, record in records.items() if job not in ended and record.owner.place in unattended
        }

    def request(self, part: Batch[AnyJob], records: Mapping[AnyJob, JobRecord]) -> Iterable[AnyJob]:
        """Ask the supervisors."""
        part.client.cancel(part.folder, part.ids, self.grace)
        return records

    def failure(self, job: JobView, record: JobRecord) -> BackgroundJobError:
        """Return why a job was not cancelled."""
        return _already(job, record.state)


def _already(job: JobView, state: JobState) -> InvalidRequest:
    had = "was" if state is JobState.CANCELLED else "has"
    return InvalidRequest(f"job {job.id} {had} already {state}; only an unfinished job can be cancelled.")


def _unattended_places(folder: StateFolder, records: Iterable[JobRecord]) -> set[str]:
    """Return the places of unfinished jobs where no supervisor would see a request."""
    places = {record.owner.place for record in records if not record.state.ended}
    return {key for key in places if not interrupt_shield.run(lambda key=key: occupancy.is_answered(folder, key))}  # type: ignore[misc]


def out_of_reach(job: JobView) -> InvalidRequest:
    """Return the refusal to cancel a job from here."""
    return InvalidRequest(
        f"job {job.id} is {job.status}: it can only be cancelled there. If that machine or container no longer "
        f"exists, run {surface.command(f'adopt {job.id}')} first."
    )


class ManualRetry(Struct, frozen=True):
    """Add one attempt to failed and cancelled jobs, or start that of retrying jobs now, with this process's environment."""

    def refusals(self, part: Batch[AnyJob], records: Mapping[AnyJob, JobRecord]) -> Mapping[AnyJob, BackgroundJobError]:
        """Refuse jobs in another state, jobs that need a job which did not succeed, and jobs whose unique key is taken."""
        fit = {job: record for job, record in records.items() if record.state in (JobState.FAILED, JobState.CANCELLED)}
        due = {job for job, record in records.items() if record.state is JobState.RETRYING and record.owner.place == place.here()}
        unfit = {job: _not_to_be_retried(job, record.state) for job, record in records.items() if job not in fit.keys() | due}
        return unfit | _duplicates(part, fit) | failed_dependencies(part.only(fit))

    def request(self, part: Batch[AnyJob], records: Mapping[AnyJob, JobRecord]) -> Iterable[AnyJob]:
        """Ask this place's supervisor, and wait for its answer."""
        ids = sorted(part.ids)  # dependencies first
        part.client.retry(part.folder, ids)
        waiting.wait(lambda: not queries.has_request(part.database(), ids), None, str, part.ensure_supervisor)
        now = part.records()
        return [job for job in now if not now[job].state.ended or now[job].attempt > records[job].attempt]

    def failure(self, job: JobView, record: JobRecord) -> BackgroundJobError:  # noqa: ARG002 - other controls need it
        """Return why a job was not retried."""
        return InvalidRequest(
            f"job {job.id} was not retried: another job holds its unique key, or a job that it depends on failed."
        )


def _not_to_be_retried(job: JobView, state: JobState) -> InvalidRequest:
    if state is JobState.RETRYING:
        return InvalidRequest(
            f"job {job.id} is {job.status}: wait for it, or run `jupyter bgjobs adopt {job.id}` if that is gone."
        )
    fix = "submit it again" if state is JobState.SUCCEEDED else "wait for it to finish, or cancel it"
    return InvalidRequest(f"job {job.id} can't be retried ({state}); only a failed, cancelled or retrying job can: {fix}.")


def _duplicates(part: Batch[AnyJob], records: Mapping[AnyJob, JobRecord]) -> dict[AnyJob, BackgroundJobError]:
    """Return those whose unique key another job holds."""
    keys = {job: record.unique_key for job, record in records.items() if record.unique_key is not None}
    with part.database().reading() as connection:
        holders = duplicates.key_holders(connection, keys.values()) if keys else {}
    said = "job {} holds the unique key of job {}: wait for it to finish, or cancel it."
    return {job: DuplicateJob(said.format(holders[key].id, job.id)) for job, key in keys.items() if key in holders}


def failed_dependencies(part: Batch[AnyJob]) -> dict[AnyJob, BackgroundJobError]:
    """Return those that need the success of a job outside the batch that did not succeed."""
    failed = selection.failed_dependencies(part.database(), part.ids) if part.jobs else {}
    return {job: _depends(job, failed[job.id]) for job in part.jobs if job.id in failed}


def _depends(job: JobView, on: selection.FailedDependency) -> InvalidRequest:
    if on.removed:
        return InvalidRequest(
            f"job {job.id} depends on job {on.id}, which did not succeed and was removed: submit job {job.id} again."
        )
    return InvalidRequest(f"job {job.id} depends on job {on.id}, which did not succeed: retry job {on.id} first.")


class Remove(Struct, frozen=True):
    """Remove finished jobs with their outputs, logs and results."""

    def refusals(self, part: Batch[AnyJob], records: Mapping[AnyJob, JobRecord]) -> Mapping[AnyJob, BackgroundJobError]:  # noqa: ARG002
        """Refuse unfinished jobs."""
        said = "job {} is {}; only a finished job can be removed: cancel it first."
        live = {job: record.state for job, record in records.items() if not record.state.ended}
        return {job: InvalidRequest(said.format(job.id, state)) for job, state in live.items()}

    def request(self, part: Batch[AnyJob], records: Mapping[AnyJob, JobRecord]) -> Iterable[AnyJob]:
        """Remove them in one transaction, then their folders."""
        gone = set(part.client.remove(part.folder, part.ids))
        return [job for job in records if job.uid in gone]

    def failure(self, job: JobView, record: JobRecord) -> BackgroundJobError:  # noqa: ARG002 - other controls need it
        """Return why a job was not removed."""
        return InvalidRequest(f"job {job.id} can't be removed while its hook is running or a retry is pending.")


class Keep(Struct, frozen=True):
    """Exempt jobs from clean and from the configured retention, or stop exempting them."""

    kept: bool

    def refusals(self, part: Batch[AnyJob], records: Mapping[AnyJob, JobRecord]) -> Mapping[AnyJob, BackgroundJobError]:  # noqa: ARG002
        """Refuse none."""
        return {}

    def request(self, part: Batch[AnyJob], records: Mapping[AnyJob, JobRecord]) -> Iterable[AnyJob]:
        """Change their rows."""
        changed = set(part.client.keep(part.folder, part.ids, kept=self.kept))
        return [job for job in records if job.id in changed]

    def failure(self, job: JobView, record: JobRecord) -> BackgroundJobError:  # noqa: ARG002 - other controls need it
        """Return why a job was not changed: it no longer exists."""
        return _removed(job)


class SetPriority(Struct, frozen=True):
    """Change the priority of jobs that wait."""

    priority: int

    def refusals(self, part: Batch[AnyJob], records: Mapping[AnyJob, JobRecord]) -> Mapping[AnyJob, BackgroundJobError]:  # noqa: ARG002
        """Refuse those that do not wait."""
        return {job: self.failure(job, record) for job, record in records.items() if not record.state.waiting}

    def request(self, part: Batch[AnyJob], records: Mapping[AnyJob, JobRecord]) -> Iterable[AnyJob]:
        """Change their rows."""
        changed = set(part.client.set_priority(part.folder, part.ids, self.priority))
        return [job for job in records if job.id in changed]

    def failure(self, job: JobView, record: JobRecord) -> BackgroundJobError:
        """Return why a job's priority was not changed."""
        return InvalidRequest(f"job {job.id} is not queued ({record.state}); only the priority of a queued job can be changed.")
