"""Rows of a test's store, read and written without opening it as a client would, which may start a supervisor."""

import os
import sqlite3
from pathlib import Path

import ipybgjobs as bg
from ipybgjobs.client.client import Client

from .place import Place


def rows(place: Place, sql: str, values: tuple = ()) -> list[tuple]:
    """Ask the store without opening it as a client would, which may start a supervisor."""
    connection = sqlite3.connect(place.state / "jobs.db", timeout=30)
    try:
        with connection:
            return connection.execute(sql, values).fetchall()
    finally:
        connection.close()


def state_of(place: Place, job_id: int = 1) -> str:
    return rows(place, "SELECT state FROM jobs WHERE id = ?", (job_id,))[0][0]


def ended(place: Place, job_id: int = 1) -> bool:
    return state_of(place, job_id) in ("succeeded", "failed", "cancelled")


def outcomes(job: bg.Job) -> list[tuple]:
    return [(a.number, a.outcome) for a in job.attempts]


def open_store() -> None:
    """What any notebook, script or command does first."""
    client = Client()
    client.jobs(limit=1)
    client.database(client.folder()).close()


def attempt_folder(place: Place, job_id: int = 1) -> Path:
    [(folder,)] = rows(place, "SELECT folder FROM attempts WHERE job_id = ? ORDER BY number DESC LIMIT 1", (job_id,))
    return place.state / folder


def copied_row(place: Place, /, **changes: object) -> int:
    """Insert a copy of job 1 that no client wrote."""
    names = [row[1] for row in rows(place, "PRAGMA table_info(jobs)") if row[1] != "id"]
    changes = {"uid": os.urandom(16).hex(), "state": "queued", "attempt": 0, "ended_at": None, "started_at": None, **changes}
    chosen = ", ".join(f"? AS {name}" if name in changes else name for name in names)
    values = tuple(changes[name] for name in names if name in changes)
    rows(place, f"INSERT INTO jobs ({', '.join(names)}) SELECT {chosen} FROM jobs WHERE id = 1", values)
    return rows(place, "SELECT max(id) FROM jobs")[0][0]


def notice(place: Place) -> str:
    return (rows(place, "SELECT notice FROM supervisors") or [("",)])[0][0] or ""
