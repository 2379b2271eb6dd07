"""Reading many jobs, newest first, and groups; as fast with a million jobs as with a thousand.

SQLite joins no two indexes in order, so for several filters one index is walked: for each value of the column that was left
open, the newest of each are looked up, and the newest of those are the answer.
"""

from itertools import product
from typing import Any

from ..models import GroupRecord, JobRecord, JobState
from .database import Database
from .records import JOBS, job_record

#: Columns of the index `jobs_listing`, in its order.
_WALKED = ("target", "queue", "state")

#: Parts that SQLite takes in one compound query.
_PARTS = 400


def jobs(database: Database, limit: int, **filters: Any) -> list[JobRecord]:
    """Read jobs, newest first.

    Parameters
    ----------
    database : Database
        The store.
    limit : int
        At most so many.
    **filters : Any
        Values of the columns ``state``, ``queue``, ``target``, ``name``, ``group_id``; None: any.
    """
    wanted = {column: value for column, value in filters.items() if value is not None}
    if len(wanted) > 1 and set(wanted) <= set(_WALKED):
        ids = _newest(database, limit, wanted)
        where, values = f"jobs.id IN ({', '.join('?' * len(ids))})", ids
    else:
        where, values = " AND ".join(_condition(column, wanted) for column in wanted) or "true", list(wanted.values())
    sql = f"{JOBS} WHERE {where} ORDER BY jobs.id DESC LIMIT ?"
    return [job_record(row) for row in database.read(sql, [*values, limit])]


def _condition(column: str, wanted: dict[str, Any]) -> str:
    """A name or a group selects few: then no index of the other columns is to be used, which the plus sees to."""
    few = next((each for each in ("group_id", "name") if each in wanted), column)
    return f"jobs.{column} = ?" if column == few else f"+jobs.{column} = ?"


def _newest(database: Database, limit: int, wanted: dict[str, Any]) -> list[int]:
    """Return the ids of the newest jobs for several filters."""
    choices = [[wanted[column]] if column in wanted else _values(database, column) for column in _WALKED]
    combinations = list(product(*choices))
    found: list[int] = []
    for start in range(0, len(combinations), _PARTS):
        part = combinations[start : start + _PARTS]
        one = """SELECT id FROM (SELECT id FROM jobs INDEXED BY jobs_listing
            WHERE target = ? AND queue = ? AND state = ? ORDER BY id DESC LIMIT ?)"""
        values = [value for combination in part for value in (*combination, limit)]
        found += [row[0] for row in database.read(" UNION ALL ".join([one] * len(part)), values)]
    return sorted(found, reverse=True)[:limit]


def _values(database: Database, column: str) -> list[str]:
    """Return the distinct values of a column, by jumping through its index."""
    if column == "state":
        return list(JobState)
    sql = f"""WITH RECURSIVE found (value) AS (
            SELECT min({column}) FROM jobs
            UNION ALL
            SELECT (SELECT min({column}) FROM jobs WHERE {column} > found.value) FROM found WHERE found.value IS NOT NULL
        ) SELECT value FROM found WHERE value IS NOT NULL"""
    return [row[0] for row in database.read(sql)]


def alone(database: Database, limit: int) -> list[JobRecord]:
    """Read the newest jobs that are in no group."""
    rows = database.read(f"{JOBS} WHERE jobs.group_id IS NULL ORDER BY jobs.id DESC LIMIT ?", (limit,))
    return [job_record(row) for row in rows]


def groups(database: Database, limit: int) -> list[GroupRecord]:
    """Read the newest groups."""
    rows = database.read("SELECT id FROM groups ORDER BY id DESC LIMIT ?", (limit,))
    return [record for row in rows if (record := group(database, row[0])) is not None]


def group(database: Database, key: int | str) -> GroupRecord | None:
    """Read one group by id, uid or name (the newest so named); None if there is none."""
    column = "id" if isinstance(key, int) else "uid"
    rows = database.read(f"SELECT * FROM groups WHERE {column} = ?", (key,))
    if not rows and isinstance(key, str):
        rows = database.read("SELECT * FROM groups WHERE name = ? ORDER BY id DESC LIMIT 1", (key,))
    if not rows:
        return None
    row = rows[0]
    counts = database.read("SELECT state, count(*) FROM jobs WHERE group_id = ? GROUP BY state", (row["id"],))
    return GroupRecord(
        row["id"], row["uid"], row["name"], row["target"], row["submitted_at"], {each[0]: each[1] for each in counts}
    )


def live_in_group(database: Database, group_id: int) -> int:
    """Count the jobs of a group that have not ended."""
    sql = "SELECT count(*) FROM jobs WHERE group_id = ? AND state IN ('queued', 'running')"
    return int(database.read(sql, (group_id,))[0][0])


def members(database: Database, group_id: int) -> list[JobRecord]:
    """Read the jobs of a group, oldest first."""
    return [job_record(row) for row in database.read(f"{JOBS} WHERE jobs.group_id = ? ORDER BY jobs.id", (group_id,))]


def ended_states(database: Database, job_ids: list[int]) -> dict[int, JobState]:
    """Return those of the jobs that have ended, each with its state; one that is gone has ended too."""
    found: dict[int, JobState] = {}
    for start in range(0, len(job_ids), _PARTS):
        part = job_ids[start : start + _PARTS]
        rows = database.read(f"SELECT id, state FROM jobs WHERE id IN ({', '.join('?' * len(part))})", part)
        states = {row["id"]: JobState(row["state"]) for row in rows}
        found |= {job_id: states.get(job_id, JobState.CANCELLED) for job_id in part}
    return {job_id: state for job_id, state in found.items() if state.ended}
