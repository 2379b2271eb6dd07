"""What clients write: new jobs, and requests about those that are there; each in one short transaction."""

import json
import sqlite3
from dataclasses import dataclass

from ..call import Call
from ..models import Owner
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


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where and how a job runs, as text for the store.

    Parameters
    ----------
    context : str
        Interpreter, folder, path.
    environment : str
        Environment variables; holds secrets.
    digest : str
        Tells this environment from others.
    """

    context: str
    environment: str
    digest: str


def submit(database: Database, job: Submission, surroundings: Surroundings) -> int:
    """Insert a job; on disk when this returns.

    Returns
    -------
    int
        The job's id.
    """
    with database.transaction() as connection:
        cursor = connection.execute(
            """INSERT INTO jobs (uid, target, name, init, params, pickled, positional, secrets, hidden, queue, priority, state,
                not_before, submitted_at, allowed_attempts, rules, timeout, host, pid_namespace, context, environment)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            (
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
                job.not_before,
                job.submitted_at,
                job.rules.max_attempts,
                json.dumps(job.rules.to_json()),
                job.timeout,
                job.owner.host,
                job.owner.pid_namespace,
                _context_id(connection, surroundings),
                _environment_id(connection, surroundings),
            ),
        )
    return int(cursor.lastrowid or 0)


def _context_id(connection: sqlite3.Connection, surroundings: Surroundings) -> int:
    row = connection.execute("SELECT id FROM contexts WHERE body = ?", (surroundings.context,)).fetchone()
    if row is None:
        return int(connection.execute("INSERT INTO contexts (body) VALUES (?)", (surroundings.context,)).lastrowid or 0)
    return int(row[0])


def _environment_id(connection: sqlite3.Connection, surroundings: Surroundings) -> int:
    row = connection.execute("SELECT id FROM environments WHERE digest = ?", (surroundings.digest,)).fetchone()
    if row is None:
        values = (surroundings.digest, surroundings.environment)
        return int(connection.execute("INSERT INTO environments (digest, body) VALUES (?, ?)", values).lastrowid or 0)
    return int(row[0])


def request_cancel(database: Database, job_id: int, host: str, grace: float | None, now: float) -> None:
    """Ask the host's supervisor to cancel a job."""
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO requests (job_id, host, verb, options, requested_at) VALUES (?, ?, 'cancel', ?, ?)",
            (job_id, host, json.dumps({"grace": grace}), now),
        )


def request_retry(database: Database, job_id: int, owner: Owner, surroundings: Surroundings, now: float) -> None:
    """Ask for another attempt of a job that has ended, in the caller's surroundings."""
    with database.transaction() as connection:
        environment = _environment_id(connection, surroundings)
        options = {
            "context": _context_id(connection, surroundings),
            "environment": environment,
            "host": owner.host,
            "pid_namespace": owner.pid_namespace,
        }
        connection.execute(
            "INSERT INTO requests (job_id, host, verb, options, environment, requested_at) VALUES (?, ?, 'retry', ?, ?, ?)",
            (job_id, owner.host, json.dumps(options), environment, now),
        )
