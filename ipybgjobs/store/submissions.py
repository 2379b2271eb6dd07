"""Inserting new jobs, one or a group of many, in one short transaction; on disk when it returns.

Conditions of a new job (unique keys, dependencies) are checked in that transaction, so nothing can change in between.
"""

import json
import sqlite3
from collections.abc import Collection, Sequence
from typing import Any

from msgspec import Struct

from ..errors import DuplicateJob, InvalidRequest, UnknownJob
from ..model import surface
from ..model.call import Call
from ..model.records import JobRecord, JobState, Owner
from ..model.retry import RetrySettings
from . import columns, duplicates, places
from .database import Database
from .duplicates import KeyHolder
from .insertion import SqlValue, insert, insert_many, insert_selected
from .requests import CancelRequest, request_columns


class Submission(Struct, frozen=True):
    """A job to be inserted."""

    uid: str
    call: Call
    positional: tuple[str, ...]
    name: str | None
    queue: str
    priority: int
    not_before: float
    submitted_at: float
    retry_settings: RetrySettings
    timeout: float | None
    owner: Owner
    is_calendar_time: bool = False  #: `not_before` is a calendar time, not a delay
    deadline: float | None = None
    deadline_is_calendar_time: bool = False
    after: tuple[tuple[int, int], ...] = ()  #: ids of jobs it depends on, each with whether any outcome will do
    unique_key: str | None = None
    on_duplicate: str = "reject"
    fingerprint: str | None = None
    reuse_since: float | None = None  #: a job with the same fingerprint that succeeded since then can be reused
    source: tuple[Any, ...] | None = None
    retried_from: int | None = None
    hooks: tuple[str, ...] = ()
    booted_at: float | None = None  #: by the clock of its times, see `system.identity`
    notebook: str | None = None  #: path of the notebook that submits it


class NewGroup(Struct, frozen=True):
    """A group to be inserted, with the parameters that its jobs share."""

    uid: str
    name: str | None
    common: Call
    submitted_at: float


class SubmitContext(Struct, frozen=True):
    """Where and how a job runs, as texts for the store.

    Parameters
    ----------
    context : str
        Interpreter, working directory, path.
    environment : str
        Environment variables; they contain secrets.
    digest : str
        Identifies this environment.
    """

    context: str
    environment: str
    digest: str


def submit(database: Database, job: Submission, submit_context: SubmitContext) -> tuple[int, str]:
    """Insert a job.

    Returns
    -------
    (int, str)
        The job's id and uid; or those of the job that is used instead: it holds the unique key, or is reused.

    Raises
    ------
    DuplicateJob
        If another live job holds the unique key.
    InvalidRequest
        If a job whose success it depends on has failed or was cancelled.
    UnknownJob
        If a job that it depends on does not exist.
    """
    row = job_row(job)
    with database.transaction() as connection:
        served = _existing(connection, job)
        if served is not None:
            return served.id, served.uid
        holder = duplicates.key_holder(connection, job.unique_key)
        if holder is not None:
            _replace_holder(connection, holder, job)
        after = (*job.after, *_replaced_jobs(connection, job.unique_key))
        places.record_own(connection, database.folder)
        needs, pending = _pending_dependencies(connection, after)
        job_id = insert(connection, "jobs", {**row, **shared_columns(connection, submit_context, None, pending)})
        insert_many(
            connection, "dependencies", [{"on_id": on, "anyway": any_outcome} for on, any_outcome in needs], {"job_id": job_id}
        )
        return job_id, job.uid


class SubmitPreview(Struct, frozen=True):
    """What `submit` would find in the store, as job ids."""

    existing: int | None = None  #: would be used instead: nothing would be submitted
    replaces: int | None = None  #: would be cancelled


def preview(database: Database, job: Submission) -> SubmitPreview:
    """Return what `submit` would find now; changes nothing, and raises what it would raise."""
    with database.reading() as connection:
        served = _existing(connection, job)
        if served is not None:
            return SubmitPreview(existing=served.id)
        holder = duplicates.key_holder(connection, job.unique_key)
        _pending_dependencies(connection, job.after)
        return SubmitPreview(replaces=None if holder is None else holder.id)


def submit_group(database: Database, group: NewGroup, jobs: Sequence[Submission], submit_context: SubmitContext) -> int:
    """Insert a group and all its jobs, which have the same dependencies, or nothing.

    Returns
    -------
    int
        The group's id.

    Raises
    ------
    DuplicateJob, InvalidRequest, UnknownJob
        As for `submit`.
    """
    head, rows = group_row(group), [job_row(job) for job in jobs]
    keyed = [(number, job) for number, job in enumerate(jobs) if job.unique_key is not None]
    with database.transaction() as connection:
        for number, job in keyed:
            _free_key(connection, job, number)
        places.record_own(connection, database.folder)
        group_id = insert(connection, "groups", head)
        needs, pending = _pending_dependencies(connection, jobs[0].after)
        insert_many(connection, "jobs", rows, shared_columns(connection, submit_context, group_id, pending))
        for on, any_outcome in needs:
            values = {"on_id": on, "anyway": any_outcome, "group_id": group_id}
            insert_selected(connection, "dependencies", _DEPENDENCY_OF_EACH, "FROM jobs WHERE group_id = :group_id", values)
        for _, job in keyed:
            _depend_on_replaced(connection, job)
    return group_id


def _free_key(connection: sqlite3.Connection, job: Submission, number: int) -> None:
    """Free the unique key of a job of a group, or refuse the group."""
    holder = duplicates.key_holder(connection, job.unique_key)
    if holder is None:
        return
    if job.on_duplicate != "replace":
        raise DuplicateJob(
            f"call {number}: job {holder.id} ({holder.target}) is {holder.state} and holds this unique key: "
            'wait for it to finish, cancel it, leave out the call, or submit with on_duplicate="replace".'
        )
    _replace_holder(connection, holder, job)


def _depend_on_replaced(connection: sqlite3.Connection, job: Submission) -> None:
    """Make a job of a group depend also on the unfinished jobs that gave up their unique key to it."""
    leaving = _replaced_jobs(connection, job.unique_key)
    if not leaving:
        return
    needs, pending = _pending_dependencies(connection, (*job.after, *leaving))
    job_id = connection.execute("SELECT id FROM jobs WHERE uid = ?", (job.uid,)).fetchone()["id"]
    connection.execute("DELETE FROM dependencies WHERE job_id = ?", (job_id,))
    insert_many(
        connection, "dependencies", [{"on_id": on, "anyway": any_outcome} for on, any_outcome in needs], {"job_id": job_id}
    )
    connection.execute("UPDATE jobs SET blockers = ?, ready = ? WHERE id = ?", (pending, False, job_id))


#: The dependencies of each job of a group.
_DEPENDENCY_OF_EACH = {"on_id": ":on_id", "anyway": ":anyway", "job_id": "id"}


def job_row(job: Submission) -> dict[str, SqlValue]:
    """Return the row of a job, except for what is known only in its transaction: see `shared_columns`."""
    return {
        "uid": job.uid,
        "target": job.call.target,
        "name": job.name,
        **call_columns(job.call),
        "positional": _json(job.positional),
        "queue": job.queue,
        "priority": job.priority,
        "state": JobState.QUEUED.value,
        "not_before": job.not_before,
        "submitted_at": job.submitted_at,
        "allowed_attempts": job.retry_settings.max_attempts,
        "rules": _json(job.retry_settings.to_json()),
        "timeout": job.timeout,
        "place": job.owner.place,
        "host": job.owner.host,
        "timed": job.is_calendar_time,
        "deadline": job.deadline,
        "deadline_timed": job.deadline_is_calendar_time,
        "unique_key": job.unique_key,
        "fingerprint": job.fingerprint,
        "source": None if job.source is None else _json(job.source),
        "retried_from": job.retried_from,
        "hooks": _json(job.hooks),
        "booted_at": job.booted_at,
        "notebook": job.notebook,
        "ready": job.not_before <= job.submitted_at,
    }


def call_columns(call: Call) -> dict[str, SqlValue]:
    """Return the columns of a job that describe its parameters, as `queries.call` reads them."""
    return {
        "init": _json(call.init),
        "params": _json(call.params),
        "pickled": _json(call.pickled),
        "secrets": _json(call.secrets),
        "hidden": _json(call.hidden),
    }


def group_row(group: NewGroup) -> dict[str, SqlValue]:
    """Return the row of a group."""
    return {
        "uid": group.uid,
        "name": group.name,
        "target": group.common.target,
        "common": _json(group.common.params),
        "pickled": _json(group.common.pickled),
        "hidden": _json(group.common.hidden),
        "submitted_at": group.submitted_at,
    }


def _json(value: Collection[Any]) -> str:
    """Write JSON; most of it is empty."""
    if value:
        return json.dumps(value)
    return "{}" if isinstance(value, dict) else "[]"


def shared_columns(
    connection: sqlite3.Connection, submit_context: SubmitContext, group_id: int | None, pending: int
) -> dict[str, SqlValue]:
    """Return the columns that all jobs of one submit share; if they depend on others, none of them is ready."""
    not_ready: dict[str, SqlValue] = {"ready": False} if pending else {}
    return {
        "context": context_id(connection, submit_context),
        "environment": environment_id(connection, submit_context),
        "group_id": group_id,
        "blockers": pending,
        **not_ready,
    }


def _pending_dependencies(connection: sqlite3.Connection, after: Sequence[tuple[int, int]]) -> tuple[list[tuple[int, int]], int]:
    """Return each dependency once, and how many of them are still pending."""
    needs = list(_merged(after).items())
    return needs, sum(_is_pending(connection, on, any_outcome=bool(any_outcome)) for on, any_outcome in needs)


def _merged(after: Sequence[tuple[int, int]]) -> dict[int, int]:
    """Return each dependency once: that the job was replaced counts most, then that it must succeed."""
    needs: dict[int, int] = {}
    for on, any_outcome in after:
        known = needs.get(on, any_outcome)
        needs[on] = _REPLACED if _REPLACED in (known, any_outcome) else min(known, any_outcome)
    return needs


#: A job depends on a job that it has replaced, whatever the outcome of that.
_REPLACED = 2


def _is_pending(connection: sqlite3.Connection, job_id: int, *, any_outcome: bool) -> bool:
    """Return whether a dependency is still unfinished."""
    row = connection.execute("SELECT state FROM jobs WHERE id = ?", (job_id,)).fetchone()
    if row is None:
        raise UnknownJob(
            f"There is no job {job_id} to depend on; {surface.command('list', 'bg.jobs()')} shows the existing jobs."
        )
    state = columns.any_state(row["state"])
    if state in (JobState.FAILED, JobState.CANCELLED) and not any_outcome:
        was = "failed" if state is JobState.FAILED else "was cancelled"
        raise InvalidRequest(
            f"job {job_id} {was}, so a job that depends on its success can't run: retry it first, "
            f"or use {surface.option('after_any')}."
        )
    return not state.ended


def _existing(connection: sqlite3.Connection, job: Submission) -> JobRecord | KeyHolder | None:
    """Return a job to use instead of a new one: it can be reused, or holds the unique key and is acceptable.

    Raises
    ------
    DuplicateJob
        If another job holds the unique key and is not acceptable.
    """
    found = duplicates.reusable(connection, job.fingerprint, job.reuse_since)
    if found is not None or job.on_duplicate == "replace":
        return found
    holder = duplicates.key_holder(connection, job.unique_key)
    if holder is not None and job.on_duplicate == "reject":
        raise DuplicateJob(_duplicate(holder))
    return holder


def _duplicate(holder: KeyHolder) -> str:
    return (
        f"job {holder.id} ({holder.target}) is {holder.state} and holds this unique key: wait for it to finish, cancel "
        f"it, or submit with {surface.option('on_duplicate', 'existing')} or {surface.option('on_duplicate', 'replace')}."
    )


#: The columns of a request to cancel a job, except for its time; written once, since a transaction writes no JSON.
_CANCEL = request_columns(CancelRequest(), 0.0)


def _replace_holder(connection: sqlite3.Connection, holder: KeyHolder, job: Submission) -> None:
    """Take the unique key from a live job for another, and request its cancellation."""
    if holder.place != job.owner.place:
        raise InvalidRequest(
            f"job {holder.id} holds this unique key, but belongs to {holder.host} and can be replaced only there. If that "
            f"machine or container no longer exists, run {surface.command(f'adopt {holder.id}')} first."
        )
    connection.execute("UPDATE jobs SET replaced = 1 WHERE id = ?", (holder.id,))
    insert(
        connection,
        "requests",
        {**_CANCEL, "job_id": holder.id, "place": holder.place, "requested_at": job.submitted_at},
    )


def _replaced_jobs(connection: sqlite3.Connection, key: str | None) -> list[tuple[int, int]]:
    """Return the dependencies of a new job with a unique key: the unfinished jobs that gave the key up."""
    return [(job_id, _REPLACED) for job_id in duplicates.replaced(connection, key)]


def context_id(connection: sqlite3.Connection, submit_context: SubmitContext) -> int:
    """Return the row of a context; insert it if needed."""
    row = connection.execute("SELECT id FROM contexts WHERE body = ?", (submit_context.context,)).fetchone()
    return insert(connection, "contexts", {"body": submit_context.context}) if row is None else int(row[0])


def environment_id(connection: sqlite3.Connection, submit_context: SubmitContext) -> int:
    """Return the row of an environment; insert it if needed."""
    row = connection.execute("SELECT id FROM environments WHERE digest = ?", (submit_context.digest,)).fetchone()
    if row is None:
        return insert(connection, "environments", {"digest": submit_context.digest, "body": submit_context.environment})
    return int(row[0])
