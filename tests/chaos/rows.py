"""What the store says, read by plain SQL from a second look: as any user with `sqlite3` could. It never writes."""

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class JobRow:
    """One job."""

    id: int
    uid: str
    target: str
    token: str
    state: str
    error: str | None
    attempt: int
    most: int  #: attempts in all by its rule, those asked for by hand not counted
    unique_key: str | None
    replaced: bool
    ended_at: float | None
    group_id: int | None


@dataclass(frozen=True)
class AttemptRow:
    """One attempt."""

    job: int
    number: int
    outcome: str | None
    error: str | None
    ending: str | None
    started_at: float
    ended_at: float | None
    folder: str | None
    launches: int


@dataclass(frozen=True)
class Rows:
    """All of the store that the verdict looks at."""

    jobs: dict[int, JobRow]
    attempts: dict[tuple[int, int], AttemptRow]  #: by job and number; number 0 is a hook
    needs: list[tuple[int, int, int]]  #: job, the one that it comes after, 0: whose success it needs
    groups: set[str]  #: uids
    environments: int
    requests: int
    integrity: str

    def of(self, job: int) -> list[AttemptRow]:
        """The attempts of a job, hooks apart."""
        row = self.jobs[job]
        return [self.attempts[job, number] for number in range(1, row.attempt + 1) if (job, number) in self.attempts]


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10.0)
    connection.row_factory = sqlite3.Row
    return connection


def read(path: Path) -> Rows:
    """Read the store."""
    connection = _connect(path)
    try:
        attempts = [_attempt(row) for row in connection.execute("SELECT * FROM attempts")]
        return Rows(
            jobs={row["id"]: _job(row) for row in connection.execute("SELECT * FROM jobs")},
            attempts={(attempt.job, attempt.number): attempt for attempt in attempts},
            needs=[tuple(row) for row in connection.execute("SELECT job_id, on_id, anyway FROM dependencies")],
            groups={row[0] for row in connection.execute("SELECT uid FROM groups")},
            environments=connection.execute("SELECT count(*) FROM environments").fetchone()[0],
            requests=connection.execute("SELECT count(*) FROM requests").fetchone()[0],
            integrity=connection.execute("PRAGMA integrity_check").fetchone()[0],
        )
    finally:
        connection.close()


def _job(row: sqlite3.Row) -> JobRow:
    params, most = json.loads(row["params"]), json.loads(row["rules"])["max_attempts"]
    names = ("id", "uid", "target", "state", "error", "attempt", "unique_key", "ended_at", "group_id")
    return JobRow(**{name: row[name] for name in names}, token=params["token"], most=most, replaced=bool(row["replaced"]))


def _attempt(row: sqlite3.Row) -> AttemptRow:
    names = ("number", "outcome", "error", "ending", "started_at", "ended_at", "folder", "launches")
    return AttemptRow(job=row["job_id"], **{name: row[name] for name in names})


@dataclass(frozen=True)
class Pulse:
    """How far a run is."""

    jobs: int
    live: int  #: jobs that have not ended, requests and hooks that nobody has answered
    ready: bool  #: whether a job waits for nothing but a supervisor and a slot, or runs
    changes: int  #: grows with each change of a job
    ended_at: float  #: when a job ended last, in seconds since the epoch


def pulse(path: Path) -> Pulse | None:
    """Look how far a run is; None while that can't be seen."""
    try:
        connection = _connect(path)
    except sqlite3.Error:
        return None
    try:
        live = "(SELECT count(*) FROM jobs WHERE state IN ('queued', 'running'))"
        asked = "(SELECT count(*) FROM requests) + (SELECT count(*) FROM jobs WHERE hook IS NOT NULL)"
        hooks = "(SELECT count(*) FROM attempts WHERE outcome IS NULL AND number = 0)"
        ready = """EXISTS (SELECT 1 FROM jobs WHERE state = 'running' OR (state = 'queued' AND ready
            AND queue NOT IN (SELECT queue FROM paused)))"""
        ended = "(SELECT max(ended_at) FROM jobs WHERE ended_at IS NOT NULL)"
        sql = f"SELECT (SELECT count(*) FROM jobs), {live} + {asked} + {hooks}, {ready}, (SELECT max(seq) FROM changes), {ended}"
        jobs, left, waits, changes, ended_at = connection.execute(sql).fetchone()
        return Pulse(jobs, left, bool(waits), changes or 0, ended_at or 0.0)
    except sqlite3.Error:
        return None
    finally:
        connection.close()
