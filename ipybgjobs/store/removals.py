"""Removing jobs with their attempts, and groups with their last job; never removes a live job.

It changes only rows; the caller removes the folders afterwards (see `removal_notes` for what a crash leaves behind).
"""

import json
import sqlite3
from collections.abc import Callable, Sequence

from msgspec import Struct

from ..model.records import JobState
from .database import Database

#: A job that may be removed: it has finished, has no open request, and has no pending or running hook.
_REMOVABLE = """+state IN ('succeeded', 'failed', 'cancelled') AND hook IS NULL
    AND NOT EXISTS (SELECT 1 FROM attempts WHERE job_id = jobs.id AND outcome IS NULL)
    AND NOT EXISTS (SELECT 1 FROM requests WHERE job_id = jobs.id)"""


class RemovalFilter(Struct, frozen=True):
    """Which finished jobs to remove; None imposes no condition.

    Parameters
    ----------
    states : tuple of str or None
        Only jobs in these states.
    ended_before : float or None
        Only jobs that ended before this time, in seconds since the epoch.
    newest : int or None
        Number of most recently finished jobs to keep.
    """

    states: tuple[str, ...] | None = None
    ended_before: float | None = None
    newest: int | None = None


def removable(database: Database, removal_filter: RemovalFilter, limit: int) -> list[tuple[int, str]]:
    """Return the id and uid of the jobs that match a rule, earliest end first; jobs marked as kept are excluded."""
    where, values = _conditions(database, removal_filter)
    sql = f"SELECT id, uid FROM jobs WHERE {where} AND {_REMOVABLE} ORDER BY ended_at, id LIMIT ?"
    return [(row["id"], row["uid"]) for row in database.read(sql, (*values, limit))]


def _conditions(database: Database, removal_filter: RemovalFilter) -> tuple[str, list[str | float]]:
    where, values = ["kept = 0", "ended_at IS NOT NULL"], list[str | float]()
    if removal_filter.states is not None:
        where.append("+state IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(list(removal_filter.states)))
    if removal_filter.ended_before is not None:
        where.append("ended_at < ?")
        values.append(removal_filter.ended_before)
    if removal_filter.newest is not None:
        where.append("(ended_at, id) < (?, ?)")  # many end in one transaction, at the same moment
        values += _last_of_newest(database, removal_filter.newest)
    return " AND ".join(where), values


def _last_of_newest(database: Database, count: int) -> tuple[float, int]:
    """Return the end and id of the oldest of the `count` most recently finished jobs."""
    if count == 0:
        return float("inf"), 0
    sql = """SELECT ended_at, id FROM jobs WHERE ended_at IS NOT NULL AND kept = 0
        ORDER BY ended_at DESC, id DESC LIMIT 1 OFFSET ?"""
    rows = database.read(sql, (min(count, 1 << 62) - 1,))
    return (rows[0]["ended_at"], rows[0]["id"]) if rows else (float("-inf"), 0)


#: Jobs that depend on a successful job may run, now that nothing else records its success.
_SUCCEEDED = "UPDATE dependencies SET anyway = 3 WHERE on_id = ? AND NOT anyway"


def remove(
    database: Database,
    job_ids: Sequence[int],
    announce: Callable[[Sequence[str]], None],
    removal_filter: RemovalFilter | None = None,
) -> tuple[list[str], list[str]]:
    """Remove finished jobs, and groups whose last job was removed; a live job stays.

    Parameters
    ----------
    database : Database
        The store.
    job_ids : sequence of int
        The jobs.
    announce : callable
        Called first with the uids whose folders may be orphaned afterwards; if it raises, the rows stay.
    removal_filter : RemovalFilter, optional
        The rule that selected them, which must still match: a job may have been kept or retried since.

    Returns
    -------
    (list of str, list of str)
        Uids of the removed jobs and groups, whose folders may now be removed too.
    """
    where, values = ("true", []) if removal_filter is None else _conditions(database, removal_filter)
    wanted = "id IN (SELECT value FROM json_each(?))"
    sql, ids = (
        f"DELETE FROM jobs WHERE {wanted} AND {where} AND {_REMOVABLE} RETURNING id, uid, group_id, state",
        json.dumps(list(job_ids)),
    )
    announce(_uids(database, job_ids))
    with database.transaction() as connection:
        rows = connection.execute(sql, (ids, *values)).fetchall()
        for table in ("attempts", "dependencies"):
            connection.executemany(f"DELETE FROM {table} WHERE job_id = ?", [(row["id"],) for row in rows])
        connection.executemany(_SUCCEEDED, [(row["id"],) for row in rows if row["state"] == JobState.SUCCEEDED])
        groups = _remove_empty_groups(connection, {row["group_id"] for row in rows if row["group_id"] is not None})
    return [row["uid"] for row in rows], groups


def _uids(database: Database, job_ids: Sequence[int]) -> list[str]:
    """Return the uids whose folders would go if all of these jobs were removed: the jobs' and their groups'."""
    of_jobs = "SELECT uid, group_id FROM jobs WHERE id IN (SELECT value FROM json_each(?))"
    sql = f"WITH found AS ({of_jobs}) SELECT uid FROM found UNION SELECT uid FROM groups WHERE id IN (SELECT group_id FROM found)"
    return [row["uid"] for row in database.read(sql, (json.dumps(list(job_ids)),))]


def _remove_empty_groups(connection: sqlite3.Connection, group_ids: set[int]) -> list[str]:
    gone: list[str] = []
    for group_id in group_ids:
        sql = "DELETE FROM groups WHERE id = ? AND NOT EXISTS (SELECT 1 FROM jobs WHERE group_id = groups.id) RETURNING uid"
        found = [row["uid"] for row in connection.execute(sql, (group_id,)).fetchall()]
        if found:
            connection.execute("DELETE FROM group_counts WHERE group_id = ?", (group_id,))
        gone += found
    return gone
