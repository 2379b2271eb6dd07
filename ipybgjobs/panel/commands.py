"""Carry out the buttons' commands through the client; each reports its result in one sentence."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from ..client.client import Client
from ..client.jobs.job import Job
from ..client.jobs.job_list import JobList
from ..errors import InvalidRequest
from ..model.records import JobState
from ..state.folder import StateFolder
from ..store import changes, queries
from ..system import interrupt_shield

#: What differs in the reasons of one kind: the ids of jobs.
_NUMBER = re.compile(r"\d+")

#: Most kinds of reasons that one sentence gives.
_MOST_KINDS = 4


@interrupt_shield.explains_interrupts
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
    jobs = (
        JobList(find_job(client, folder, each) for each in ids) if len(ids) == 1 else _those_that_are_there(client, folder, ids)
    )
    gone = len(ids) - len(jobs)
    return _OF_JOBS[verb](jobs, message) + (f"; {gone} had been removed" if gone else "")


def find_job(client: Client, folder: StateFolder, job_id: int) -> Job:
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
    done = jobs.cancel()
    late = [job for job in done if job.state is not JobState.CANCELLED]
    reasons = [*map(_how_it_ended, late), *map(str, done.skipped.values())]
    return _result(len(done) - len(late), "cancelled", reasons)


def _how_it_ended(job: Job) -> str:
    state = job.state
    return f"job {job.id} was cancelled" if state is JobState.CANCELLED else f"job {job.id} had already {state}"


def _retry(jobs: JobList, _message: dict[str, Any]) -> str:
    if len(jobs) == 1:
        return f"job {jobs[0].retry().id} retried"
    return _changed(jobs.retry(), "retried")


def _remove(jobs: JobList, _message: dict[str, Any]) -> str:
    return _changed(jobs.remove(strict=len(jobs) == 1), "removed")


def _priority(jobs: JobList, message: dict[str, Any]) -> str:
    priority = message.get("to", 0)
    return _changed(jobs.set_priority(priority, strict=len(jobs) == 1), f"given priority {priority}")


def _changed(done: JobList, how: str) -> str:
    return _result(len(done), how, [str(reason) for reason in done.skipped.values()])


def _result(count: int, how: str, reasons: Sequence[str]) -> str:
    """Return how many jobs were changed, and of the others how many were not, with a reason of each kind."""
    rest = f"; {len(reasons):,} not: {_kinds(reasons)}" if reasons else ""
    return f"{'1 job' if count == 1 else f'{count:,} jobs'} {how}{rest}"


def _kinds(reasons: Sequence[str]) -> str:
    """Return the first of each kind of reasons, which differ by the job alone, with the number of the others."""
    kinds: dict[str, list[str]] = {}
    for reason in reasons:
        kinds.setdefault(_NUMBER.sub("", reason), []).append(reason.rstrip("."))
    shown = list(kinds.values())[:_MOST_KINDS]
    said = [first + (f" (and {len(others):,} more)" if others else "") for first, *others in shown]
    left = len(reasons) - sum(map(len, shown))
    return "; ".join(said + ([f"{left:,} for other reasons"] if left else []))


def _pause(client: Client, message: dict[str, Any]) -> str:
    return f"queue {', '.join(client.pause(message.get('queue')))} paused; running jobs continue"


def _resume(client: Client, message: dict[str, Any]) -> str:
    return f"queue {', '.join(client.resume(message.get('queue'))) or 'none'} resumed"


_OF_JOBS: dict[str, Callable[[JobList, dict[str, Any]], str]] = {
    "cancel": _cancel,
    "retry": _retry,
    "remove": _remove,
    "priority": _priority,
}
_OF_QUEUES: dict[str, Callable[[Client, dict[str, Any]], str]] = {"pause": _pause, "resume": _resume}
