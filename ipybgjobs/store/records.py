"""Reading jobs and attempts; changes nothing."""

import json
import sqlite3
from typing import Any

from ..call import Call
from ..errors import UnknownJob
from ..models import Attempt, JobRecord, JobState, Outcome, Owner
from ..retry import RetryRules
from .database import Database

_JOB_COLUMNS = """id, uid, target, name, init, params, pickled, secrets, hidden, queue, priority, state, not_before, submitted_at,
    started_at, ended_at, error, attempt, allowed_attempts, rules, timeout, host, pid_namespace"""


def job_record(row: sqlite3.Row) -> JobRecord:
    """Build a job from a row."""
    return JobRecord(
        id=row["id"],
        uid=row["uid"],
        call=Call(
            row["target"],
            json.loads(row["init"]),
            json.loads(row["params"]),
            json.loads(row["pickled"]),
            tuple(json.loads(row["secrets"])),
            tuple(json.loads(row["hidden"])),
        ),
        name=row["name"],
        queue=row["queue"],
        priority=row["priority"],
        state=JobState(row["state"]),
        not_before=row["not_before"],
        submitted_at=row["submitted_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        error=row["error"],
        attempt=row["attempt"],
        allowed_attempts=row["allowed_attempts"],
        rules=RetryRules.from_json(json.loads(row["rules"])),
        timeout=row["timeout"],
        owner=Owner(row["host"], row["pid_namespace"]),
    )


def job(database: Database, key: int | str) -> JobRecord:
    """Read one job by id, uid or name (the newest so named).

    Raises
    ------
    UnknownJob
        If there is none.
    """
    column = "id" if isinstance(key, int) else "uid"
    try:
        rows = database.read(f"SELECT {_JOB_COLUMNS} FROM jobs WHERE {column} = ?", (key,))
        if not rows and isinstance(key, str):
            rows = database.read(f"SELECT {_JOB_COLUMNS} FROM jobs WHERE name = ? ORDER BY id DESC LIMIT 1", (key,))
    except (OverflowError, UnicodeEncodeError):
        rows = []  # no id is so large, and no name holds such characters
    if not rows:
        what = f"id {key}" if isinstance(key, int) else f"name or uid {key!r}"
        raise UnknownJob(f"There is no job with {what} in {database.path}; `jupyter bgjobs list` shows those that are there.")
    return job_record(rows[0])


def jobs(database: Database, limit: int, **filters: Any) -> list[JobRecord]:
    """Read jobs, newest first.

    Parameters
    ----------
    database : Database
        The store.
    limit : int
        At most so many.
    **filters : Any
        Values of the columns ``state``, ``queue``, ``target``, ``name``; None: any.
    """
    wanted = {column: value for column, value in filters.items() if value is not None}
    where = " AND ".join(f"{column} = :{column}" for column in wanted)
    sql = f"SELECT {_JOB_COLUMNS} FROM jobs {'WHERE ' + where if where else ''} ORDER BY id DESC LIMIT :limit"
    return [job_record(row) for row in database.read(sql, {**wanted, "limit": limit})]


def state(database: Database, job_id: int) -> JobState:
    """Read a job's state, and no more.

    Raises
    ------
    UnknownJob
        If the job is gone.
    """
    rows = database.read("SELECT state FROM jobs WHERE id = ?", (job_id,))
    if not rows:
        raise UnknownJob(f"Job {job_id} is no longer in {database.path}.")
    return JobState(rows[0]["state"])


def attempts(database: Database, job_id: int) -> list[Attempt]:
    """Read a job's attempts, oldest first."""
    rows = database.read("SELECT * FROM attempts WHERE job_id = ? ORDER BY number", (job_id,))
    return [_attempt(row) for row in rows]


def _attempt(row: sqlite3.Row) -> Attempt:
    return Attempt(
        job_id=row["job_id"],
        number=row["number"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        outcome=None if row["outcome"] is None else Outcome(row["outcome"]),
        error=row["error"],
        traceback=row["traceback"],
        exit_code=row["exit_code"],
        signal=row["signal"],
        peak_memory=row["peak_memory"],
        cpu_seconds=row["cpu_seconds"],
        launched_by=row["launched_by"],
        launch_reason=row["launch_reason"],
        folder=row["folder"],
        owner=Owner(row["host"], row["pid_namespace"]),
    )


def has_work(database: Database, host: str) -> bool:
    """Whether a supervisor of the host has anything to do: a job that has not ended, or a request."""
    sql = """SELECT EXISTS (SELECT 1 FROM jobs WHERE state = 'queued' AND host = :host)
        OR EXISTS (SELECT 1 FROM attempts WHERE outcome IS NULL AND host = :host)
        OR EXISTS (SELECT 1 FROM requests WHERE host = :host)"""
    return bool(database.read(sql, {"host": host})[0][0])


def supervisors(database: Database) -> list[sqlite3.Row]:
    """Read who supervises, or did: rows of the table ``supervisors``."""
    return database.read("SELECT * FROM supervisors ORDER BY heard_at DESC")
