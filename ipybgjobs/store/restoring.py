"""Writing the data saved from a damaged store, and jobs known only from their folders, into a sound store.

Every job that it writes has finished or can continue; it starts nothing.
"""

import json
import sqlite3

from msgspec import Struct

from ..model import json_text
from ..model.call import Call
from ..model.records import JobState, Outcome, Owner
from ..model.retry import RetrySettings
from .insertion import insert
from .salvage import Row, Salvaged
from .submissions import call_columns


class KnownAttempt(Struct, frozen=True):
    """A finished attempt, as its folder describes it."""

    number: int
    folder: str  #: relative to the state folder
    started_at: float
    ended_at: float
    outcome: Outcome
    error: str | None
    traceback: str | None


class KnownJob(Struct, frozen=True):
    """A finished job, as its folder describes it; it has at least one attempt."""

    id: int | None  #: its previous id
    uid: str
    name: str | None
    call: Call
    positional: tuple[str, ...]
    attempts: tuple[KnownAttempt, ...]


def write(connection: sqlite3.Connection, salvaged: Salvaged) -> None:
    """Write salvaged rows into a new store, in the caller's transaction.

    Parameters
    ----------
    connection : sqlite3.Connection
        Connection to an empty store, which may be of a newer version.
    salvaged : Salvaged
        The rows.
    """
    homes = {row["id"]: _home(row) for row in salvaged.rows.get("jobs", ())}
    for table, rows in salvaged.rows.items():
        known = {column[1] for column in connection.execute(f"PRAGMA table_info({table})")}
        for row in (_as_of_now(table, row, homes) for row in rows):
            insert(connection, table, {name: value for name, value in row.items() if name in known}, or_else="IGNORE")
    for table, number in salvaged.last.items():
        connection.execute("DELETE FROM sqlite_sequence WHERE name = ? AND seq < ?", (table, number))
        sql = "INSERT INTO sqlite_sequence (name, seq) SELECT :name, :seq WHERE :name NOT IN (SELECT name FROM sqlite_sequence)"
        connection.execute(sql, {"name": table, "seq": number})
    connection.execute(_OLDER_PLACES)


#: The places of an older version's rows, as ``sql/004_place.sql`` determines them.
_OLDER_PLACES = """INSERT OR IGNORE INTO places (place, host, pid_namespace)
    SELECT place, substr(place, 6, instr(place, '/') - 6), substr(place, instr(place, '/') + 1) FROM (
        SELECT place FROM jobs UNION SELECT place FROM attempts WHERE outcome IS NULL UNION SELECT place FROM requests
    ) WHERE place GLOB 'host:*/*'"""


def _home(row: Row) -> str:
    """Return the place of a job or an attempt; an older version recorded only hosts."""
    return str(row["place"] if "place" in row else f"host:{row['host']}/{row['pid_namespace']}")


def _as_of_now(table: str, row: Row, homes: dict[int, str]) -> Row:
    """Return a row as this version writes it; `homes`: the places of the jobs, by id."""
    if table in ("jobs", "attempts"):
        return {**row, "place": _home(row), "pid_namespace": None}
    if table == "requests" and "place" not in row:
        return {**row, "place": _asked_at(row) or homes[row["job_id"]], "host": None}
    return row


def _asked_at(row: Row) -> str | None:
    """Return the place to which an older version's retry request moves its job; None for other requests."""
    try:
        return f"host:{row['host']}/{json_text.parse(row['options'])['pid_namespace']}" if row["verb"] == "retry" else None
    except (ValueError, TypeError, KeyError):
        return None


def close_unrunnable(connection: sqlite3.Connection, context: int, now: float) -> None:
    """Make sure that every job can continue: a job that needs something unreadable fails with a message that says so.

    Parameters
    ----------
    connection : sqlite3.Connection
        In a transaction, after `write`.
    context : int
        Replaces a context that could not be read, for jobs that no longer need one.
    now : float
        Seconds since the epoch.
    """
    no_context = "context NOT IN (SELECT id FROM contexts)"
    no_variables = "(environment IS NULL OR environment NOT IN (SELECT id FROM environments))"
    blockers = """(SELECT count(*) FROM dependencies JOIN jobs AS earlier ON earlier.id = on_id
        WHERE job_id = jobs.id AND earlier.state IN ('queued', 'running'))"""
    live = "EXISTS (SELECT 1 FROM attempts WHERE job_id = jobs.id AND outcome IS NULL)"
    _fail(connection, f"state = 'queued' AND ({no_context} OR {no_variables})", "its context", now)
    _fail(connection, f"state = 'running' AND NOT {live}", "its attempt", now)
    while _fail(connection, f"state = 'queued' AND blockers > {blockers}", "a job that it depends on", now):
        pass  # others may depend on those
    connection.execute(f"UPDATE jobs SET context = ? WHERE {no_context}", (context,))
    connection.execute(f"UPDATE jobs SET environment = NULL WHERE {no_variables}")
    connection.execute("UPDATE jobs SET group_id = NULL WHERE group_id IS NOT NULL AND group_id NOT IN (SELECT id FROM groups)")


def _fail(connection: sqlite3.Connection, where: str, what: str, now: float) -> int:
    error = f"{what} could not be read from the damaged store: submit it again"
    sql = f"UPDATE jobs SET state = 'failed', ready = 0, blockers = 0, ended_at = ?, error = ?, hook = NULL WHERE {where}"
    return connection.execute(sql, (now, error)).rowcount


_STATES = {Outcome.SUCCEEDED: JobState.SUCCEEDED, Outcome.CANCELLED: JobState.CANCELLED}


def register(connection: sqlite3.Connection, job: KnownJob, owner: Owner, context: int) -> int:
    """Write a job that is known only from its folder, under its own id unless another job has it.

    Returns
    -------
    int
        The job's id.
    """
    first, last = job.attempts[0], job.attempts[-1]
    values = {
        "id": job.id if _is_free(connection, job.id) else None,
        "uid": job.uid,
        "target": job.call.target,
        "name": job.name,
        **call_columns(job.call),
        "positional": json.dumps(job.positional),
        "queue": "default",
        "priority": 0,
        "state": _STATES.get(last.outcome, JobState.FAILED).value,
        "not_before": first.started_at,
        "submitted_at": first.started_at,
        "started_at": first.started_at,
        "ended_at": last.ended_at,
        "error": last.error,
        "attempt": last.number,
        "allowed_attempts": last.number,
        "rules": json.dumps(RetrySettings(max_attempts=last.number).to_json()),
        "place": owner.place,
        "host": owner.host,
        "context": context,
    }
    job_id = insert(connection, "jobs", values)
    for each in job.attempts:
        insert(connection, "attempts", _attempt(job_id, each, owner))
    return job_id


def _attempt(job_id: int, found: KnownAttempt, owner: Owner) -> Row:
    return {
        "job_id": job_id,
        "number": found.number,
        "folder": found.folder,
        "started_at": found.started_at,
        "ended_at": found.ended_at,
        "outcome": found.outcome.value,
        "error": found.error,
        "traceback": found.traceback,
        "place": owner.place,
        "host": owner.host,
    }


def _is_free(connection: sqlite3.Connection, job_id: int | None) -> bool:
    return job_id is not None and connection.execute("SELECT 1 FROM jobs WHERE id = ?", (job_id,)).fetchone() is None
