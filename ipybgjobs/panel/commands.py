"""Carry out the buttons' commands through the client; each reports its result in one sentence."""

from collections.abc import Callable, Sequence
from typing import Any

from ..client.client import Client
from ..client.jobs.job import Job
from ..client.jobs.job_list import JobList
from ..errors import BackgroundJobError, InvalidRequest
from ..model.records import JobState
from ..state.folder import StateFolder
from ..store import changes, queries
from ..system import shield


@shield.told
def run(client: Client, folder: StateFolder, verb: str, message: dict[str, Any]) -> str:
    """Carry out a button's command, and return its result as a sentence once it is done.

    Parameters
    ----------
    client : Client
        The client of this process.
    folder : StateFolder
        State folder of the jobs that the panel shows.
    verb : str
        One of ``cancel``, ``retry``, ``remove``, ``priority``, ``pause``, ``resume``.
    message : dict
        ``jobs``: ids; ``to``: a priority; ``queue``: a queue's name.

    Raises
    ------
    BackgroundJobError
        If it can't be done; the message says why in one sentence.
    """
    if verb in _OF_QUEUES:
        _check_folder(client, folder)
        return _OF_QUEUES[verb](client, message)
    if verb not in _OF_JOBS:
        raise InvalidRequest(f"Unknown command {verb!r}; available: {', '.join([*_OF_JOBS, *_OF_QUEUES])}.")
    ids = message.get("jobs")
    if not isinstance(ids, list) or not ids or not all(type(each) is int for each in ids):
        raise InvalidRequest(f"{verb} needs jobs: pass their ids as a list.")
    jobs = JobList(find(client, folder, each) for each in ids) if len(ids) == 1 else _those_that_are_there(client, folder, ids)
    gone = len(ids) - len(jobs)
    return _OF_JOBS[verb](jobs, message) + (f"; {gone} had been removed" if gone else "")


def find(client: Client, folder: StateFolder, job_id: int) -> Job:
    """Return a job of the store that a panel shows, even if new jobs now go to another store.

    Raises
    ------
    UnknownJob
        If there is none.
    """
    record = queries.job(client.database(folder), job_id)
    return Job(client, folder, record.id, record.uid)


def _those_that_are_there(client: Client, folder: StateFolder, ids: list[int]) -> JobList:
    found = changes.jobs(client.database(folder), ids)
    return JobList(Job(client, folder, each.job.id, each.job.uid) for each in found)


def _check_folder(client: Client, folder: StateFolder) -> None:
    now = client.folder().path
    if now != folder.path:
        raise InvalidRequest(f"This panel shows {folder.path}, but the state folder is now {now}: open a new panel.")


def _cancel(jobs: JobList, _message: dict[str, Any]) -> str:
    if len(jobs) == 1:
        jobs[0].cancel()
        return _how_it_ended(jobs[0])
    within = [job for job in jobs if not job._is_out_of_reach()]  # noqa: SLF001 - its own package
    ended = JobList(within).cancel()
    cancelled = [job for job in ended if job.state is JobState.CANCELLED]
    rest = f"; {len(jobs) - len(cancelled)} not: finished already, or elsewhere" if len(cancelled) < len(jobs) else ""
    return f"{_count(cancelled)} cancelled{rest}"


def _how_it_ended(job: Job) -> str:
    state = job.state
    return f"job {job.id} was cancelled" if state is JobState.CANCELLED else f"job {job.id} had already {state}"


def _retry(jobs: JobList, _message: dict[str, Any]) -> str:
    if len(jobs) == 1:
        return f"job {jobs[0].retry().id} retried"
    retried = jobs.retry()
    rest = f"; {len(jobs) - len(retried)} not: only failed or cancelled jobs can be" if len(retried) < len(jobs) else ""
    return f"{_count(retried)} retried{rest}"


def _remove(jobs: JobList, _message: dict[str, Any]) -> str:
    if len(jobs) == 1:
        jobs[0].remove()
        return "1 job removed"
    gone = jobs[0]._remove(jobs) if jobs else 0  # noqa: SLF001 - its own package
    left = len(jobs) - gone
    rest = f"; {left} not: unfinished, or with a pending hook" if left else ""
    return f"{'1 job' if gone == 1 else f'{gone:,} jobs'} removed{rest}"


def _priority(jobs: JobList, message: dict[str, Any]) -> str:
    return _each(jobs, lambda job: job.set_priority(message.get("to", 0)), f"given priority {message.get('to', 0)}")


def _each(jobs: JobList, do: Callable[[Job], object], done: str) -> str:
    """Apply a function to each job; for one job a failure raises, for several the failures are counted."""
    refused: list[str] = []
    for job in jobs:
        try:
            do(job)
        except BackgroundJobError as error:
            if len(jobs) == 1:
                raise
            refused.append(str(error))
    rest = f"; {len(refused)} not: {refused[0]}" if refused else ""
    return f"{_count(jobs[len(refused) :])} {done}{rest}"


def _pause(client: Client, message: dict[str, Any]) -> str:
    return f"queue {', '.join(client.pause(message.get('queue')))} paused; running jobs continue"


def _resume(client: Client, message: dict[str, Any]) -> str:
    return f"queue {', '.join(client.resume(message.get('queue'))) or 'none'} resumed"


def _count(jobs: Sequence[Job]) -> str:
    return "1 job" if len(jobs) == 1 else f"{len(jobs):,} jobs"


_OF_JOBS: dict[str, Callable[[JobList, dict[str, Any]], str]] = {
    "cancel": _cancel,
    "retry": _retry,
    "remove": _remove,
    "priority": _priority,
}
_OF_QUEUES: dict[str, Callable[[Client, dict[str, Any]], str]] = {"pause": _pause, "resume": _resume}
