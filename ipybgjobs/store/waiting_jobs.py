"""What unfinished jobs wait for, each question for many jobs by one statement; changes nothing."""

import json
import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from . import columns
from .columns import UnreadableRow
from .database import Database

_CHOSEN = "IN (SELECT value FROM json_each(?))"


class NewestAttempt(NamedTuple):
    """The newest attempt of a job: when it started, and its folder relative to the state folder; None if that is unknown."""

    started_at: float | None
    folder: str | None


def pending_dependencies(database: Database, job_ids: Sequence[int]) -> dict[int, list[int]]:
    """Return the unfinished jobs that each of these jobs depends on."""
    sql = f"""SELECT job_id, on_id FROM dependencies JOIN jobs ON jobs.id = on_id
        WHERE job_id {_CHOSEN} AND jobs.state IN ('queued', 'running') ORDER BY on_id"""
    found: dict[int, list[int]] = {}
    for row in database.read(sql, (json.dumps(list(job_ids)),)):
        found.setdefault(row["job_id"], []).append(row["on_id"])
    return found


def contexts(database: Database, job_ids: Sequence[int]) -> dict[int, int]:
    """Return the ids of the contexts in which these jobs were submitted."""
    rows = database.read(f"SELECT id, context FROM jobs WHERE id {_CHOSEN}", (json.dumps(list(job_ids)),))
    return {row["id"]: columns.any_whole(row, "context") for row in rows}


def newest_attempts(database: Database, job_ids: Sequence[int]) -> dict[int, NewestAttempt]:
    """Return the newest attempt of each of these jobs."""
    sql = f"""SELECT job_id, attempts.started_at, folder FROM attempts JOIN jobs ON jobs.id = job_id AND number = jobs.attempt
        WHERE job_id {_CHOSEN}"""
    rows = database.read(sql, (json.dumps(list(job_ids)),))
    return {row["job_id"]: _newest(row) for row in rows}


def _newest(row: sqlite3.Row) -> NewestAttempt:
    try:
        folder = columns.folder_or_none(row)
    except UnreadableRow:
        folder = None
    return NewestAttempt(columns.any_moment(row, "started_at") or None, folder)


def jobs_ahead(database: Database, place: str, job_ids: Sequence[int]) -> dict[int, int]:
    """Return how many jobs of its queue will start before each of these: those of higher priority, then older ones.

    Only jobs that just wait for a slot are counted, and returned. Their index is walked once, however many are wanted.
    """
    ids = json.dumps(list(job_ids))
    sql = f"""WITH waiting AS (
            SELECT id, row_number() OVER (PARTITION BY queue ORDER BY priority DESC, id) - 1 AS ahead FROM jobs
            WHERE state = 'queued' AND ready = 1 AND place = ? AND queue IN (SELECT DISTINCT queue FROM jobs WHERE id {_CHOSEN})
        ) SELECT id, ahead FROM waiting WHERE id {_CHOSEN}"""
    return {row["id"]: row["ahead"] for row in database.read(sql, (place, ids, ids))}


def paused_since(database: Database) -> dict[str, float]:
    """Return since when each paused queue has been paused, in seconds since the epoch."""
    rows = database.read("SELECT queue, paused_at FROM paused WHERE typeof(queue) = 'text' ORDER BY queue")
    return {row["queue"]: columns.any_moment(row, "paused_at") for row in rows}
