"""What happens to jobs: every change of state, each guarded, all by the supervisor that holds the lock.

No state is entered twice or from the wrong place: each update names the state it leaves, and a method that changes nothing
says so. The supervisor gathers the changes of a tick in one transaction.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..models import Outcome, Owner


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an attempt ended, as the supervisor found it.

    Parameters
    ----------
    outcome : Outcome
        How.
    error : str or None
        One line, secrets blanked.
    traceback : str or None
        Text, secrets blanked.
    exit_code, signal, peak_memory, cpu_seconds
        What was seen of the process; None where nobody saw it.
    """

    outcome: Outcome
    error: str | None = None
    traceback: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    peak_memory: int | None = None  # bytes
    cpu_seconds: float | None = None


class Transitions:
    """The changes of one transaction.

    Parameters
    ----------
    connection : sqlite3.Connection
        Inside a transaction.
    owner : Owner
        Whose supervisor writes; jobs of other hosts are not its own.
    now : float
        Seconds since the epoch.
    """

    def __init__(self, connection: sqlite3.Connection, owner: Owner, now: float) -> None:
        self._connection = connection
        self._owner = owner
        self._now = now

    def _changed(self, sql: str, values: dict[str, Any]) -> bool:
        return self._connection.execute(sql, values).rowcount == 1

    # -- what is there --------------------------------------------------------------------------------------------

    def queues(self) -> dict[str, int]:
        """Queues that have a job waiting, each with its number of running jobs."""
        sql = """SELECT waiting.queue,
                (SELECT count(*) FROM jobs WHERE state = 'running' AND queue = waiting.queue AND host = :host)
            FROM (SELECT DISTINCT queue FROM jobs WHERE state = 'queued' AND host = :host) AS waiting"""
        return {row[0]: row[1] for row in self._connection.execute(sql, {"host": self._owner.host})}

    def due(self, queue: str, skip: Sequence[int] = ()) -> sqlite3.Row | None:
        """The job of a queue that may start now: higher priority first, then oldest; not of the contexts in `skip`."""
        row: sqlite3.Row | None = self._connection.execute(
            """SELECT jobs.*, contexts.body AS context_body FROM jobs JOIN contexts ON contexts.id = jobs.context
            WHERE state = 'queued' AND host = ? AND queue = ? AND not_before <= ?
                AND context NOT IN (SELECT value FROM json_each(?))
            ORDER BY priority DESC, jobs.id LIMIT 1""",
            (self._owner.host, queue, self._now, json.dumps(list(skip))),
        ).fetchone()
        return row

    def requests(self) -> list[sqlite3.Row]:
        """What users asked this supervisor for, oldest first."""
        sql = "SELECT * FROM requests WHERE host = ? ORDER BY id"
        return self._connection.execute(sql, (self._owner.host,)).fetchall()

    def attempt(self, job_id: int, number: int) -> sqlite3.Row | None:
        """One attempt with its job's columns `uid`, `state`, `rules` and so on."""
        row: sqlite3.Row | None = self._connection.execute(
            """SELECT jobs.*, contexts.body AS context_body, attempts.number, attempts.folder, attempts.outcome,
                attempts.ending, attempts.launches, attempts.started_at AS attempt_started_at
            FROM attempts JOIN jobs ON jobs.id = attempts.job_id JOIN contexts ON contexts.id = jobs.context
            WHERE job_id = ? AND number = ?""",
            (job_id, number),
        ).fetchone()
        return row

    # -- attempts -------------------------------------------------------------------------------------------------

    def claim(self, job_id: int, number: int, folder: str, launched_by: str, launch_reason: str | None) -> bool:
        """From queued to running, with a new attempt."""
        claimed = self._changed(
            """UPDATE jobs SET state = 'running', attempt = :number, started_at = coalesce(started_at, :now)
            WHERE id = :id AND state = 'queued' AND attempt = :number - 1""",
            {"id": job_id, "number": number, "now": self._now},
        )
        if claimed:
            self._connection.execute(
                """INSERT INTO attempts (job_id, number, folder, started_at, launched_by, launch_reason, host, pid_namespace)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
                (job_id, number, folder, self._now, launched_by, launch_reason, *self._who()),
            )
        return claimed

    def _who(self) -> tuple[str, str]:
        return self._owner.host, self._owner.pid_namespace

    def relaunch(self, job_id: int, number: int, folder: str, launched_by: str, launch_reason: str | None) -> bool:
        """A launch was voided before anything ran: the same attempt again, in a new folder."""
        return self._changed(
            """UPDATE attempts SET folder = :folder, launches = launches + 1, started_at = :now, pid_namespace = :namespace,
                launched_by = :launched_by, launch_reason = :launch_reason
            WHERE job_id = :id AND number = :number AND outcome IS NULL""",
            {
                "id": job_id,
                "number": number,
                "folder": folder,
                "now": self._now,
                "namespace": self._owner.pid_namespace,
                "launched_by": launched_by,
                "launch_reason": launch_reason,
            },
        )

    def begin_ending(self, job_id: int, number: int, reason: Outcome, grace: float) -> bool:
        """Record why an attempt is being ended; the first reason stays."""
        return self._changed(
            """UPDATE attempts SET ending = :reason, ending_at = :now, ending_grace = :grace
            WHERE job_id = :id AND number = :number AND outcome IS NULL AND ending IS NULL""",
            {"id": job_id, "number": number, "reason": reason, "now": self._now, "grace": grace},
        )

    def end_attempt(self, job_id: int, number: int, verdict: Verdict) -> bool:
        """Record how an attempt ended; False if that was known already."""
        return self._changed(
            """UPDATE attempts SET outcome = :outcome, ended_at = :now, error = :error, traceback = :traceback,
                exit_code = :exit_code, signal = :signal, peak_memory = :peak_memory, cpu_seconds = :cpu_seconds
            WHERE job_id = :id AND number = :number AND outcome IS NULL""",
            {
                "id": job_id,
                "number": number,
                "now": self._now,
                "outcome": verdict.outcome,
                "error": _storable(verdict.error),
                "traceback": _storable(verdict.traceback),
                "exit_code": verdict.exit_code,
                "signal": verdict.signal,
                "peak_memory": verdict.peak_memory,
                "cpu_seconds": verdict.cpu_seconds,
            },
        )

    # -- jobs -----------------------------------------------------------------------------------------------------

    def end_job(self, job_id: int, state: str, error: str | None) -> bool:
        """From running to an end; the environment is let go."""
        return self._changed(
            """UPDATE jobs SET state = :state, ended_at = :now, error = :error, environment = NULL
            WHERE id = :id AND state = 'running'""",
            {"id": job_id, "state": state, "now": self._now, "error": _storable(error)},
        )

    def queue_again(self, job_id: int, not_before: float, error: str | None) -> bool:
        """From running back to queued: a retry by rule."""
        return self._changed(
            "UPDATE jobs SET state = 'queued', not_before = :due, error = :error WHERE id = :id AND state = 'running'",
            {"id": job_id, "due": not_before, "error": _storable(error)},
        )

    def cancel_queued(self, job_id: int) -> bool:
        """From queued to cancelled."""
        return self._changed(
            """UPDATE jobs SET state = 'cancelled', ended_at = :now, environment = NULL
            WHERE id = :id AND state = 'queued'""",
            {"id": job_id, "now": self._now},
        )

    def deny(self, job_id: int, number: int, error: str) -> bool:
        """From queued to failed: the check at launch refused; nothing was started."""
        denied = self._changed(
            """UPDATE jobs SET state = 'failed', attempt = :number, ended_at = :now, error = :error, environment = NULL
            WHERE id = :id AND state = 'queued'""",
            {"id": job_id, "number": number, "now": self._now, "error": error},
        )
        if denied:
            self._connection.execute(
                """INSERT INTO attempts (job_id, number, started_at, ended_at, outcome, error, host, pid_namespace)
                VALUES (?, ?, ?, ?, 'denied', ?, ?, ?)""",
                (job_id, number, self._now, self._now, error, *self._who()),
            )
        return denied

    def retry(self, job_id: int, options: dict[str, Any]) -> bool:
        """From failed or cancelled to queued: a person asked for one more attempt, in that person's context."""
        return self._changed(
            """UPDATE jobs SET state = 'queued', not_before = :now, ended_at = NULL,
                allowed_attempts = CASE attempt WHEN 0 THEN allowed_attempts ELSE attempt + 1 END,
                context = :context, environment = :environment, host = :host, pid_namespace = :pid_namespace
            WHERE id = :id AND state IN ('failed', 'cancelled')""",
            {"id": job_id, "now": self._now, **options},
        )

    # -- the rest -------------------------------------------------------------------------------------------------

    def answered(self, request_id: int) -> None:
        """Forget a request."""
        self._connection.execute("DELETE FROM requests WHERE id = ?", (request_id,))

    def heard(self, pid: int, version: str, started_at: float, notice: str | None) -> None:
        """Say that this host's supervisor is alive."""
        self._connection.execute(
            "INSERT OR REPLACE INTO supervisors VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*self._who(), pid, version, started_at, self._now, _storable(notice)),
        )

    def environment_of(self, job_id: int) -> list[int]:
        """The environment variables that a job holds, if it does."""
        sql = "SELECT environment FROM jobs WHERE id = ? AND environment IS NOT NULL"
        return [row[0] for row in self._connection.execute(sql, (job_id,))]

    def environment(self, environment: int) -> str:
        """Read environment variables, as JSON text."""
        sql = "SELECT body FROM environments WHERE id = ?"
        return str(self._connection.execute(sql, (environment,)).fetchone()[0])

    def release_environment(self, environment: int) -> bool:
        """Delete environment variables that no job that has not ended, and no request, still needs."""
        return self._changed(
            """DELETE FROM environments WHERE id = :id
                AND NOT EXISTS (SELECT 1 FROM jobs WHERE environment = :id)
                AND NOT EXISTS (SELECT 1 FROM requests WHERE environment = :id)""",
            {"id": environment},
        )


def _storable(text: str | None) -> str | None:
    """Escape what is no Unicode: a file name may hold it, SQLite does not."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode()


def live_attempts(connection: sqlite3.Connection, host: str) -> list[sqlite3.Row]:
    """Attempts of a host that have no outcome yet: what a new supervisor finds."""
    sql = "SELECT job_id, number, pid_namespace, ending, ending_grace FROM attempts WHERE outcome IS NULL AND host = ?"
    return connection.execute(sql, (host,)).fetchall()


def newest_context(connection: sqlite3.Connection, host: str) -> str | None:
    """Where the last caller on a host ran a job, as text; None before the first submit."""
    sql = "SELECT body FROM jobs JOIN contexts ON contexts.id = jobs.context WHERE host = ? ORDER BY jobs.id DESC LIMIT 1"
    row = connection.execute(sql, (host,)).fetchone()
    return None if row is None else str(row[0])


def next_due(connection: sqlite3.Connection, host: str, now: float) -> float | None:
    """When the next delayed job may start; None if none waits for its time."""
    sql = "SELECT min(not_before) FROM jobs WHERE state = 'queued' AND host = ? AND not_before > ?"
    found: float | None = connection.execute(sql, (host, now)).fetchone()[0]
    return found


def request_options(row: sqlite3.Row) -> dict[str, Any]:
    """What a request says beyond its verb."""
    options: dict[str, Any] = json.loads(row["options"])
    return options
