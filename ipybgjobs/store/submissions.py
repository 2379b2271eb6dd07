"""What clients write: new jobs, and requests about those that are there; each in one short transaction."""

import json
import os
import sqlite3
from dataclasses import dataclass

from ..models import Call, Owner
from ..retry import RetryRules
from .database import Database


@dataclass(frozen=True, slots=True)
class Submission:
    """A job that is to be."""

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


class EnvironmentGone(Exception):  # noqa: N818 - never leaves the client
    """The file of variables was deleted meanwhile; write it again."""


def submit(database: Database, job: Submission, context: str, environment: str, environment_file: str) -> int:
    """Insert a job; on disk when this returns.

    Parameters
    ----------
    database : Database
        The store, durable.
    job : Submission
        The job.
    context : str
        Where and how it runs, as text.
    environment, environment_file : str
        Name and path of the file of variables. It is looked for inside the transaction, as the supervisor deletes it only
        inside one: so it can't go between the look and the insert.

    Returns
    -------
    int
        The job's id.

    Raises
    ------
    EnvironmentGone
        If the file is not there; nothing was inserted.
    """
    with database.transaction() as connection:
        if not os.path.exists(environment_file):
            raise EnvironmentGone
        cursor = connection.execute(
            """INSERT INTO jobs (uid, target, name, init, params, pickled, positional, secrets, queue, priority, state,
                not_before, submitted_at, allowed_attempts, rules, timeout, host, pid_namespace, context, environment)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                job.uid,
                job.call.target,
                job.name,
                json.dumps(job.call.init),
                json.dumps(job.call.params),
                json.dumps(job.call.pickled),
                json.dumps(job.positional),
                json.dumps(job.call.secrets),
                job.queue,
                job.priority,
                job.not_before,
                job.submitted_at,
                job.rules.max_attempts,
                json.dumps(job.rules.to_json()),
                job.timeout,
                job.owner.host,
                job.owner.pid_namespace,
                _context_id(connection, context),
                environment,
            ),
        )
    return int(cursor.lastrowid or 0)


def _context_id(connection: sqlite3.Connection, body: str) -> int:
    row = connection.execute("SELECT id FROM contexts WHERE body = ?", (body,)).fetchone()
    if row is None:
        return int(connection.execute("INSERT INTO contexts (body) VALUES (?)", (body,)).lastrowid or 0)
    return int(row[0])


def request_cancel(database: Database, job_id: int, host: str, grace: float | None, now: float) -> None:
    """Ask the host's supervisor to cancel a job."""
    with database.transaction() as connection:
        _request(connection, job_id, host, "cancel", {"grace": grace}, now)


def request_retry(
    database: Database, job_id: int, owner: Owner, now: float, context: str, environment: str, environment_file: str
) -> None:
    """Ask for another attempt of a job that has ended, in the caller's context.

    Raises
    ------
    EnvironmentGone
        If the file of variables is not there; nothing was requested.
    """
    with database.transaction() as connection:
        if not os.path.exists(environment_file):
            raise EnvironmentGone
        options = {
            "context": _context_id(connection, context),
            "environment": environment,
            "host": owner.host,
            "pid_namespace": owner.pid_namespace,
        }
        # Held from now on, so that the file stays until the supervisor has answered.
        connection.execute(
            "UPDATE jobs SET environment = ? WHERE id = ? AND state IN ('failed', 'cancelled')", (environment, job_id)
        )
        _request(connection, job_id, owner.host, "retry", options, now)


def _request(
    connection: sqlite3.Connection, job_id: int, host: str, verb: str, options: dict[str, object], now: float
) -> None:
    connection.execute(
        "INSERT INTO requests (job_id, host, verb, options, requested_at) VALUES (?, ?, ?, ?, ?)",
        (job_id, host, verb, json.dumps(options), now),
    )
