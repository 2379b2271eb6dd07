"""Reading what changed since the last check, so that a display reads only that; it changes nothing."""

import json
import sqlite3
from typing import NamedTuple

from ..model.records import JobRecord
from . import columns
from .database import Database
from .queries import COLUMNS, TABLES, shown

#: A job with the start and the peak memory of its newest attempt.
_JOBS = f"""SELECT {COLUMNS}, attempts.peak_memory, attempts.started_at AS attempt_started_at FROM {TABLES}
    LEFT JOIN attempts ON attempts.job_id = jobs.id AND attempts.number = jobs.attempt"""


class JobWithAttempt(NamedTuple):
    """A job, the peak memory of its newest attempt in bytes, when that attempt started, and the name of its group, if known."""

    job: JobRecord
    peak_memory: int | None
    attempt_started_at: float | None
    group_name: str | None


class RunningAttempt(NamedTuple):
    """A running attempt, and its folder relative to the state folder."""

    job_id: int
    folder: str


def newest_change(database: Database) -> int:
    """Return the number of the newest change; anything read afterwards is at least as new."""
    return int(database.read("SELECT coalesce(max(seq), 0) FROM changes")[0][0])


def changed(database: Database, since: int) -> list[int] | None:
    """Return the ids of the jobs that changed since a given change, oldest change first, including removed jobs.

    None if that is too long ago to know, or if the store was recreated since.
    """
    oldest = database.read("SELECT min(seq) FROM changes")[0][0]
    if newest_change(database) < since or (oldest is not None and oldest > since + 1):
        return None
    rows = database.read("SELECT job_id FROM changes WHERE seq > ? ORDER BY seq", (since,))
    return list(dict.fromkeys(row[0] for row in rows if isinstance(row[0], int)))


def jobs(database: Database, ids: list[int]) -> list[JobWithAttempt]:
    """Read jobs by id; those that were removed are omitted."""
    rows = database.read(f"{_JOBS} WHERE jobs.id IN (SELECT value FROM json_each(?))", (json.dumps(ids),))
    return list(map(_with_attempt, rows))


def _with_attempt(row: sqlite3.Row) -> JobWithAttempt:
    return JobWithAttempt(
        shown(row),
        columns.any_whole(row, "peak_memory") or None,
        columns.any_moment(row, "attempt_started_at") or None,
        columns.any_text(row, "group_name") or None,
    )


def newest(database: Database, before: int, limit: int) -> list[JobWithAttempt]:
    """Read the newest jobs whose ids are below a number, newest first."""
    rows = database.read(f"{_JOBS} WHERE jobs.id < ? ORDER BY jobs.id DESC LIMIT ?", (before, limit))
    return list(map(_with_attempt, rows))


def running(database: Database) -> list[RunningAttempt]:
    """Read the running attempts that were launched."""
    sql = "SELECT job_id, folder FROM attempts WHERE outcome IS NULL AND number > 0 AND typeof(folder) = 'text'"
    return [RunningAttempt(row["job_id"], row["folder"]) for row in database.read(sql)]


class SlotHolder(NamedTuple):
    """A job that holds a slot, and the folder of its attempt relative to the state folder."""

    job_id: int
    queue: str
    folder: str


def holders(database: Database, place: str) -> list[SlotHolder]:
    """Read the jobs that hold the slots of a place."""
    sql = """SELECT jobs.id, jobs.queue, coalesce(attempts.folder, '') AS folder
        FROM attempts JOIN jobs ON jobs.id = attempts.job_id
        WHERE attempts.outcome IS NULL AND attempts.place = ? AND attempts.number > 0 AND typeof(jobs.queue) = 'text'"""
    return [SlotHolder(row["id"], row["queue"], row["folder"]) for row in database.read(sql, (place,))]


def queues_of(database: Database, ids: list[int]) -> dict[int, str]:
    """Read the queues of the queued ones of these jobs."""
    sql = "SELECT id, queue FROM jobs WHERE state = 'queued' AND id IN (SELECT value FROM json_each(?))"
    return {row["id"]: row["queue"] for row in database.read(sql, (json.dumps(ids),))}


def count(database: Database) -> int:
    """Count the jobs."""
    return int(database.read("SELECT count(*) FROM jobs")[0][0])


def count_from(database: Database, job_id: int) -> int:
    """Count the jobs whose ids are not below a number."""
    return int(database.read("SELECT count(*) FROM jobs WHERE id >= ?", (job_id,))[0][0])
