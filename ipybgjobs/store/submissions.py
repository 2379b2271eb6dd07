"""Inserting new jobs, one or a group of many, in one short transaction; on disk when it returns.

Conditions of a new job (unique keys, dependencies) are checked in that transaction, so nothing can change in between.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import DuplicateJob, InvalidRequest, UnknownJob
from ..model.call import Call
from ..model.records import JobState, Owner
from ..model.retry import RetryRules
from . import columns, places
from .database import Database


@dataclass(frozen=True, slots=True)
class Submission:
    """A job to be inserted."""

    uid: str
    call: Call
    positional: tuple[str, ...]
    name: str | None
    queue: str
    priority: int
    not_before: float
    submitted_at: float
    rules: RetryRules
    timeout: float | None
    owner: Owner
    timed: bool = False  #: `not_before` is a calendar time, not a delay
    deadline: float | None = None
    deadline_timed: bool = False
    after: tuple[tuple[int, int], ...] = ()  #: ids of jobs it depends on, each with whether any outcome will do
    unique_key: str | None = None
    on_duplicate: str = "reject"
    fingerprint: str | None = None
    reuse_since: float | None = None  #: a job with the same fingerprint that succeeded since then can be reused
    source: tuple[Any, ...] | None = None
    retried_from: int | None = None
    hooks: tuple[str, ...] = ()
    booted_at: float | None = None  #: by the clock of its times, see `process.identity`


@dataclass(frozen=True, slots=True)
class NewGroup:
    """A group to be inserted, with the parameters that its jobs share."""

    uid: str
    name: str | None
    common: Call
    submitted_at: float


@dataclass(frozen=True, slots=True)
class Surroundings:
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


def submit(database: Database, job: Submission, surroundings: Surroundings) -> tuple[int, str]:
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
    row = _values(job)
    with database.transaction() as connection:
        served = _served(connection, job)
        if served is not None:
            return served["id"], served["uid"]
        holder = _holder(connection, job.unique_key)
        if holder is not None:
            _give_way(connection, holder, job)
        after = (*job.after, *_leaving(connection, job.unique_key))
        places.note_here(connection, database.folder)
        needs, blockers = _needs(connection, after)
        shared = (context_id(connection, surroundings), environment_id(connection, surroundings), None, blockers)
        job_id = int(connection.execute(_INSERT, (*row, *shared, _is_ready(job, blockers))).lastrowid or 0)
        connection.executemany(_DEPEND, [(on, anyway, job_id) for on, anyway in needs])
        return job_id, job.uid


@dataclass(frozen=True, slots=True)
class Prospect:
    """What `submit` would find in the store, as job ids."""

    serves: int | None = None  #: would be used instead: nothing would be submitted
    replaces: int | None = None  #: would be cancelled


def prospect(database: Database, job: Submission) -> Prospect:
    """Return what `submit` would find now; changes nothing, and raises what it would raise."""
    with database.looking() as connection:
        served = _served(connection, job)
        if served is not None:
            return Prospect(serves=served["id"])
        holder = _holder(connection, job.unique_key)
        _needs(connection, job.after)
        return Prospect(replaces=None if holder is None else holder["id"])


def submit_group(database: Database, group: NewGroup, jobs: Sequence[Submission], surroundings: Surroundings) -> int:
    """Insert a group and all its jobs, which have the same dependencies, or nothing.

    Returns
    -------
    int
        The group's id.

    Raises
    ------
    DuplicateJob, InvalidRequest, UnknownJob
        As `submit`.
    """
    head, rows = _group_values(group), [_values(job) for job in jobs]
    with database.transaction() as connection:
        for number, job in enumerate(jobs):
            _free_key(connection, job, number)
        places.note_here(connection, database.folder)
        group_id = int(connection.execute(_INSERT_GROUP, head).lastrowid or 0)
        needs, blockers = _needs(connection, jobs[0].after)
        shared = (context_id(connection, surroundings), environment_id(connection, surroundings), group_id, blockers)
        every = [(*row, *shared, _is_ready(job, blockers)) for job, row in zip(jobs, rows, strict=True)]
        connection.executemany(_INSERT, every)
        connection.executemany(_DEPEND_GROUP, [(on, anyway, group_id) for on, anyway in needs])
        for job in jobs:
            _follow_replaced(connection, job)
    return group_id


def _free_key(connection: sqlite3.Connection, job: Submission, number: int) -> None:
    """Free the unique key of a job of a group, or refuse the group."""
    holder = _holder(connection, job.unique_key)
    if holder is None:
        return
    if job.on_duplicate != "replace":
        raise DuplicateJob(
            f"call {number}: job {holder['id']} ({holder['target']}) is {holder['state']} and holds this unique key: "
            'wait for it to finish, cancel it, leave out the call, or submit with on_duplicate="replace".'
        )
    _give_way(connection, holder, job)


def _follow_replaced(connection: sqlite3.Connection, job: Submission) -> None:
    """Make a job of a group depend also on the jobs that gave it their unique key."""
    leaving = _leaving(connection, job.unique_key) if job.unique_key is not None else []
    if not leaving:
        return
    needs, blockers = _needs(connection, (*job.after, *leaving))
    job_id = connection.execute("SELECT id FROM jobs WHERE uid = ?", (job.uid,)).fetchone()["id"]
    connection.execute("DELETE FROM dependencies WHERE job_id = ?", (job_id,))
    connection.executemany(_DEPEND, [(on, anyway, job_id) for on, anyway in needs])
    connection.execute("UPDATE jobs SET blockers = ?, ready = ? WHERE id = ?", (blockers, _is_ready(job, blockers), job_id))


_INSERT_GROUP = "INSERT INTO groups (uid, name, target, common, pickled, hidden, submitted_at) VALUES (?, ?, ?, ?, ?, ?, ?)"

#: Dependencies of one job, and of each job of a group.
_DEPEND = "INSERT INTO dependencies (on_id, anyway, job_id) VALUES (?, ?, ?)"
_DEPEND_GROUP = "INSERT INTO dependencies (on_id, anyway, job_id) SELECT ?, ?, id FROM jobs WHERE group_id = ?"


def _group_values(group: NewGroup) -> tuple[Any, ...]:
    common = group.common
    described = (json.dumps(common.params), json.dumps(common.pickled), json.dumps(common.hidden))
    return (group.uid, group.name, common.target, *described, group.submitted_at)


_COLUMNS = (
    "uid",
    "target",
    "name",
    "init",
    "params",
    "pickled",
    "positional",
    "secrets",
    "hidden",
    "queue",
    "priority",
    "state",
    "not_before",
    "submitted_at",
    "allowed_attempts",
    "rules",
    "timeout",
    "place",
    "host",
    "timed",
    "deadline",
    "deadline_timed",
    "unique_key",
    "fingerprint",
    "source",
    "retried_from",
    "hooks",
    "booted_at",
    "context",
    "environment",
    "group_id",
    "blockers",
    "ready",
)

_INSERT = f"INSERT INTO jobs ({', '.join(_COLUMNS)}) VALUES ({', '.join(['?'] * len(_COLUMNS))})"


def _needs(connection: sqlite3.Connection, after: Sequence[tuple[int, int]]) -> tuple[list[tuple[int, int]], int]:
    """Each job that another comes after, once, and how many of them have yet to end."""
    needs = list(_merged(after).items())
    return needs, sum(_blocks(connection, on, anyway=bool(anyway)) for on, anyway in needs)


def _is_ready(job: Submission, blockers: int) -> bool:
    return not blockers and job.not_before <= job.submitted_at


def _merged(after: Sequence[tuple[int, int]]) -> dict[int, int]:
    """Each job that another comes after, once: that it was replaced counts most, then that it must succeed."""
    needs: dict[int, int] = {}
    for on, anyway in after:
        known = needs.get(on, anyway)
        needs[on] = _REPLACED if _REPLACED in (known, anyway) else min(known, anyway)
    return needs


#: A job comes after one that it has replaced, whatever becomes of that.
_REPLACED = 2


def _values(job: Submission) -> tuple[Any, ...]:
    return (
        job.uid,
        job.call.target,
        job.name,
        json.dumps(job.call.init),
        json.dumps(job.call.params),
        json.dumps(job.call.pickled),
        json.dumps(job.positional),
        json.dumps(job.call.secrets),
        json.dumps(job.call.hidden),
        job.queue,
        job.priority,
        JobState.QUEUED,
        job.not_before,
        job.submitted_at,
        job.rules.max_attempts,
        json.dumps(job.rules.to_json()),
        job.timeout,
        job.owner.place,
        job.owner.host,
        job.timed,
        job.deadline,
        job.deadline_timed,
        job.unique_key,
        job.fingerprint,
        None if job.source is None else json.dumps(job.source),
        job.retried_from,
        json.dumps(job.hooks),
        job.booted_at,
    )


def _blocks(connection: sqlite3.Connection, job_id: int, *, anyway: bool) -> bool:
    """Return whether a dependency is still unfinished."""
    row = connection.execute("SELECT state FROM jobs WHERE id = ?", (job_id,)).fetchone()
    if row is None:
        raise UnknownJob(f"There is no job {job_id} to depend on; `jupyter bgjobs list` shows the existing jobs.")
    state = columns.any_state(row["state"])
    if state in (JobState.FAILED, JobState.CANCELLED) and not anyway:
        was = "failed" if state is JobState.FAILED else "was cancelled"
        raise InvalidRequest(
            f"job {job_id} {was}, so a job that depends on its success can't run: retry it first, or use after_any."
        )
    return not state.ended


def _served(connection: sqlite3.Connection, job: Submission) -> sqlite3.Row | None:
    """Return a job to use instead of a new one: it can be reused, or holds the unique key and is acceptable.

    Raises
    ------
    DuplicateJob
        If another job holds the unique key and is not acceptable.
    """
    holder = _reusable(connection, job)
    if holder is not None or job.on_duplicate == "replace":
        return holder
    holder = _holder(connection, job.unique_key)
    if holder is not None and job.on_duplicate == "reject":
        raise DuplicateJob(_duplicate(holder))
    return holder


def _holder(connection: sqlite3.Connection, key: str | None) -> sqlite3.Row | None:
    """Return the live job that holds a unique key."""
    if key is None:
        return None
    row: sqlite3.Row | None = connection.execute(
        """SELECT id, uid, target, state, place, host FROM jobs
        WHERE unique_key = ? AND state IN ('queued', 'running') AND NOT replaced""",
        (key,),
    ).fetchone()
    return row


def _duplicate(holder: sqlite3.Row) -> str:
    return (
        f"job {holder['id']} ({holder['target']}) is {holder['state']} and holds this unique key: wait for it to finish, cancel "
        'it, or submit with on_duplicate="existing" or "replace".'
    )


#: Options of a cancel with the configured grace.
_AS_CONFIGURED = json.dumps({"grace": None})


def _give_way(connection: sqlite3.Connection, holder: sqlite3.Row, job: Submission) -> None:
    """Take the unique key from a live job, and request its cancellation."""
    if holder["place"] != job.owner.place:
        raise InvalidRequest(
            f"job {holder['id']} holds this unique key, but belongs to {holder['host']} and can be replaced only there. If that "
            f"machine or container no longer exists, run `jupyter bgjobs adopt {holder['id']}` first."
        )
    connection.execute("UPDATE jobs SET replaced = 1 WHERE id = ?", (holder["id"],))
    connection.execute(
        "INSERT INTO requests (job_id, place, verb, options, requested_at) VALUES (?, ?, 'cancel', ?, ?)",
        (holder["id"], holder["place"], _AS_CONFIGURED, job.submitted_at),
    )


def _leaving(connection: sqlite3.Connection, key: str | None) -> list[tuple[int, int]]:
    """Return the dependencies of a new job with a unique key: the unfinished jobs that gave the key up."""
    sql = "SELECT id FROM jobs WHERE unique_key = ? AND replaced AND state IN ('queued', 'running')"
    return [(row["id"], _REPLACED) for row in connection.execute(sql, (key,)).fetchall()]


def _reusable(connection: sqlite3.Connection, job: Submission) -> sqlite3.Row | None:
    """Return the newest successful job with the same fingerprint whose result is kept, if reuse is requested."""
    if job.reuse_since is None or job.fingerprint is None:
        return None
    row: sqlite3.Row | None = connection.execute(
        """SELECT id, uid FROM jobs WHERE fingerprint = ? AND state = 'succeeded' AND ended_at >= ? AND error IS NULL
        ORDER BY id DESC LIMIT 1""",
        (job.fingerprint, job.reuse_since),
    ).fetchone()
    return row


def context_id(connection: sqlite3.Connection, surroundings: Surroundings) -> int:
    """Return the row of a context; insert it if needed."""
    row = connection.execute("SELECT id FROM contexts WHERE body = ?", (surroundings.context,)).fetchone()
    if row is None:
        return int(connection.execute("INSERT INTO contexts (body) VALUES (?)", (surroundings.context,)).lastrowid or 0)
    return int(row[0])


def environment_id(connection: sqlite3.Connection, surroundings: Surroundings) -> int:
    """Return the row of an environment; insert it if needed."""
    row = connection.execute("SELECT id FROM environments WHERE digest = ?", (surroundings.digest,)).fetchone()
    if row is None:
        values = (surroundings.digest, surroundings.environment)
        return int(connection.execute("INSERT INTO environments (digest, body) VALUES (?, ?)", values).lastrowid or 0)
    return int(row[0])
