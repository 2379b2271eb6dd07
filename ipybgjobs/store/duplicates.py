"""Existing jobs to use instead of a new one: the live job that holds its unique key, or one that succeeded with the same source.

Each is looked up twice: by a client beforehand, and in the transaction of a submit, which decides.
"""

import json
import sqlite3
from collections.abc import Iterable

from msgspec import Struct

from ..model.records import JobRecord, JobState
from . import columns, queries
from .columns import UnreadableRow


class KeyHolder(Struct, frozen=True):
    """A live job that holds a unique key, and the place that it belongs to."""

    id: int
    uid: str
    target: str
    state: JobState
    place: str
    host: str


_HOLDERS = f"""SELECT id, uid, target, {columns.STATE} AS state, place, host, unique_key FROM jobs
    WHERE unique_key {{}} AND state IN ('queued', 'running') AND NOT replaced"""


def key_holder(connection: sqlite3.Connection, key: str | None) -> KeyHolder | None:
    """Read the live job that holds a unique key."""
    if key is None:
        return None
    row = connection.execute(_HOLDERS.format("= ?"), (key,)).fetchone()
    return None if row is None else _holder(row)


def key_holders(connection: sqlite3.Connection, keys: Iterable[str]) -> dict[str, KeyHolder]:
    """Read the live jobs that hold these unique keys, by key."""
    rows = connection.execute(_HOLDERS.format("IN (SELECT value FROM json_each(?))"), (json.dumps(list(keys)),)).fetchall()
    return {row["unique_key"]: _holder(row) for row in rows}


def _holder(row: sqlite3.Row) -> KeyHolder:
    return KeyHolder(
        id=row["id"],
        uid=columns.any_text(row, "uid"),
        target=columns.any_label(row, "target"),
        state=columns.any_state(row["state"]),
        place=columns.any_text(row, "place"),
        host=columns.any_label(row, "host"),
    )


def replaced(connection: sqlite3.Connection, key: str | None) -> list[int]:
    """Read the unfinished jobs that gave up a unique key to another job."""
    sql = "SELECT id FROM jobs WHERE unique_key = ? AND replaced AND state IN ('queued', 'running')"
    return [row["id"] for row in connection.execute(sql, (key,)).fetchall()]


def reusable(connection: sqlite3.Connection, fingerprint: str | None, since: float | None) -> JobRecord | None:
    """Read the newest job that succeeded with the same fingerprint and whose result was saved; None if an argument is None."""
    if fingerprint is None or since is None:
        return None
    sql = f"""{queries.JOBS} WHERE fingerprint = ? AND jobs.state = 'succeeded' AND jobs.ended_at >= ? AND jobs.error IS NULL
        ORDER BY jobs.id DESC LIMIT 1"""
    row = connection.execute(sql, (fingerprint, since)).fetchone()
    try:
        return None if row is None else queries.job_record(row)
    except UnreadableRow:  # then the job runs again
        return None
