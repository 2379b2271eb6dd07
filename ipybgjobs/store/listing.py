"""Reading many jobs, newest first, and groups; as fast with a million jobs as with a thousand.

SQLite can't combine two indexes in order, so for several filters one index is walked: for each value of the columns without a
filter, the newest jobs are looked up, and the newest of those are the result.
"""

import json
import sqlite3
from collections.abc import Iterable
from itertools import chain, product
from typing import Any

from ..model import job_key
from ..model.records import GroupRecord, JobRecord, JobState, RetryingJobs
from . import columns
from .columns import RETRYING, STORED_STATES
from .database import Database
from .queries import JOBS, shown

#: Indexes to walk, each with its columns before the id; the first one that begins with a filtered column is used.
_WALKED = {
    "jobs_group": ("group_id", "state"),
    "jobs_named": ("name", "target", "queue", "state"),
    "jobs_listing": ("target", "queue", "state"),
    "jobs_queue": ("queue", "state"),
}

#: Columns that have their own index in the order of ids.
_DIRECT = ("name", "target", "state")

#: Largest number of parts that SQLite accepts in one compound query.
_PARTS = 400


def jobs(database: Database, limit: int, **filters: Any) -> list[JobRecord]:
    """Read jobs, newest first.

    Parameters
    ----------
    database : Database
        The store.
    limit : int
        Maximum number of jobs.
    **filters : Any
        Values of the columns ``state``, ``queue``, ``target``, ``name``, ``group_id``; None: any.
    """
    wanted = {column: value for column, value in filters.items() if value is not None}
    if not all(_storable(value) for value in wanted.values()):
        return []
    if wanted.get("state") == JobState.RETRYING or len(wanted) > 1 or (wanted and not wanted.keys() & set(_DIRECT)):
        ids = _newest(database, limit, wanted)
        where, values = "jobs.id IN (SELECT value FROM json_each(?))", [json.dumps(ids)]
    else:
        where, values = _conditions(wanted, prefix="jobs."), list(wanted.values())
    sql = f"{JOBS} WHERE {where} ORDER BY jobs.id DESC LIMIT ?"
    return [shown(row) for row in database.read(sql, [*values, limit])]


def count(database: Database, **filters: Any) -> int:
    """Count the jobs that `jobs` would return without a limit."""
    wanted = {column: value for column, value in filters.items() if value is not None}
    if not all(_storable(value) for value in wanted.values()):
        return 0
    if wanted.get("state") == JobState.RETRYING:
        del wanted["state"]
        where = " AND ".join([RETRYING, *(f"{column} = ?" for column in wanted)])
    else:
        where = _conditions(wanted)
    return int(database.read(f"SELECT count(*) FROM jobs WHERE {where}", list(wanted.values()))[0][0])


def count_entries(database: Database) -> int:
    """Count the jobs that do not belong to a group, and the groups."""
    sql = "SELECT (SELECT count(*) FROM jobs WHERE group_id IS NULL) + (SELECT count(*) FROM groups)"
    return int(database.read(sql)[0][0])


def _conditions(wanted: dict[str, Any], order: Iterable[str] | None = None, prefix: str = "") -> str:
    """Return the condition that jobs fit some filters, in an order; a retrying job, which is stored as queued, is not queued."""
    rest = [f"NOT {RETRYING}"] if wanted.get("state") == JobState.QUEUED else []
    return " AND ".join([*(f"{prefix}{column} = ?" for column in (wanted if order is None else order)), *rest]) or "true"


def _storable(value: Any) -> bool:
    """Return whether the store can hold a value at all; otherwise no row can contain it."""
    if isinstance(value, str):
        return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)
    return not isinstance(value, int) or abs(value) < 1 << 63


def _newest(database: Database, limit: int, wanted: dict[str, Any]) -> list[int]:
    """Return the ids of the newest jobs for several filters, by walking an index."""
    if wanted.get("state") == JobState.RETRYING:
        return _newest_retrying(database, limit, {column: value for column, value in wanted.items() if column != "state"})
    index, walked = next((index, walked) for index, walked in _WALKED.items() if walked[0] in wanted)
    choices = [[wanted[column]] if column in wanted else _values(database, column, wanted.get("name")) for column in walked]
    rest = {column: value for column, value in wanted.items() if column not in walked}
    conditions = _conditions(wanted, (*walked, *rest))
    one = f"SELECT id FROM (SELECT id FROM jobs INDEXED BY {index} WHERE {conditions} ORDER BY id DESC LIMIT ?)"
    parts = [(*combination, *rest.values(), limit) for combination in product(*choices)]
    found: list[int] = []
    for start in range(0, len(parts), _PARTS):
        part = parts[start : start + _PARTS]
        sql = f"SELECT id FROM ({' UNION ALL '.join([one] * len(part))}) ORDER BY id DESC LIMIT ?"
        found += [row[0] for row in database.read(sql, [*chain.from_iterable(part), limit])]
    return sorted(found, reverse=True)[:limit]


def _newest_retrying(database: Database, limit: int, wanted: dict[str, Any]) -> list[int]:
    """Return the ids of the newest retrying jobs, which have an index of their own."""
    conditions = " AND ".join([RETRYING, *(f"{column} = ?" for column in wanted)])
    sql = f"SELECT id FROM jobs INDEXED BY jobs_retrying WHERE {conditions} ORDER BY id DESC LIMIT ?"
    return [row[0] for row in database.read(sql, [*wanted.values(), limit])]


def _values(database: Database, column: str, name: str | None) -> list[str]:
    """Return the distinct values of a column, among the jobs with a name if one is given, by jumping through an index."""
    if column == "state":
        return list(STORED_STATES)
    named = "true" if name is None or column != "target" else "name = :name"  # only the target is next to the name in an index
    sql = f"""WITH RECURSIVE found (value) AS (
            SELECT min({column}) FROM jobs WHERE {named}
            UNION ALL
            SELECT (SELECT min({column}) FROM jobs WHERE {named} AND {column} > found.value) FROM found
            WHERE found.value IS NOT NULL
        ) SELECT value FROM found WHERE value IS NOT NULL"""
    return [row[0] for row in database.read(sql, {"name": name})]


def alone(database: Database, limit: int) -> list[JobRecord]:
    """Read the newest jobs that do not belong to a group."""
    rows = database.read(f"{JOBS} WHERE jobs.group_id IS NULL ORDER BY jobs.id DESC LIMIT ?", (limit,))
    return [shown(row) for row in rows]


def groups(database: Database, limit: int) -> list[GroupRecord]:
    """Read the newest groups."""
    rows = database.read("SELECT id FROM groups ORDER BY id DESC LIMIT ?", (limit,))
    return [record for row in rows if (record := group(database, row[0])) is not None]


def group(database: Database, key: int | str) -> GroupRecord | None:
    """Read one group by id, uid or name (the newest with that name); None if there is none."""
    key = job_key.of(key)
    if not _storable(key):
        return None
    column = "id" if isinstance(key, int) else "uid"
    rows = database.read(f"SELECT * FROM groups WHERE {column} = ?", (key,))
    if not rows and isinstance(key, str):
        rows = database.read("SELECT * FROM groups WHERE name = ? ORDER BY id DESC LIMIT 1", (key,))
    if not rows:
        return None
    row = rows[0]
    counts = _counted(database.read("SELECT state, jobs FROM group_counts WHERE group_id = ? AND jobs > 0", (row["id"],)))
    retrying = retrying_in_group(database, row["id"]) if JobState.QUEUED in counts else None
    return GroupRecord(
        id=row["id"],
        uid=columns.any_uid(row),
        name=columns.any_text(row, "name") or None,
        target=columns.any_label(row, "target"),
        submitted_at=columns.any_moment(row, "submitted_at"),
        counts=_with_retrying(counts, 0 if retrying is None else retrying.count),
        retrying=retrying,
    )


def retrying_in_group(database: Database, group_id: int) -> RetryingJobs | None:
    """Read which jobs of a group are retrying; None if none is."""
    return _retrying(database, "jobs INDEXED BY jobs_retrying_group WHERE group_id = ?", group_id)


def retrying(database: Database, job_ids: list[int]) -> RetryingJobs | None:
    """Read which of these jobs are retrying; None if none is."""
    return _retrying(database, "jobs INDEXED BY jobs_retrying WHERE id IN (SELECT value FROM json_each(?))", json.dumps(job_ids))


def _retrying(database: Database, which: str, value: int | str) -> RetryingJobs | None:
    count = database.read(f"SELECT count(*) FROM {which} AND {RETRYING}", (value,))[0][0]
    sql = f"SELECT not_before, ready, error FROM {which} AND {RETRYING} ORDER BY not_before LIMIT 1"
    rows = database.read(sql, (value,)) if count else []
    found = [
        RetryingJobs(count, columns.any_moment(row, "not_before"), bool(row["ready"]), columns.any_text(row, "error") or None)
        for row in rows
    ]
    return found[0] if found else None


def _with_retrying(counts: dict[str, int], retrying: int) -> dict[str, int]:
    """Return counts by stored state as counts by state."""
    queued = counts.get(JobState.QUEUED, 0) - retrying
    found = {**counts, JobState.QUEUED.value: queued, JobState.RETRYING.value: retrying}
    return {state.value: found[state] for state in JobState if found.get(state, 0) > 0}


def _counted(rows: Iterable[sqlite3.Row]) -> dict[str, int]:
    """Return the number of jobs by state."""
    found: dict[str, int] = {}
    for state, jobs in rows:
        if isinstance(jobs, int):
            name = str(columns.any_state(state))
            found[name] = found.get(name, 0) + jobs
    return found


def states(database: Database) -> dict[str, int]:
    """Count the jobs by state; only states that have any."""
    counts = _counted(database.read("SELECT state, count(*) FROM jobs GROUP BY state"))
    retrying = database.read(f"SELECT count(*) FROM jobs INDEXED BY jobs_retrying WHERE {RETRYING}")[0][0]
    return _with_retrying(counts, retrying)


def ended_since(database: Database, moment: float, limit: int) -> tuple[dict[str, int], list[JobRecord]]:
    """Count the jobs that succeeded or failed after a point in time, and read the newest of those that failed."""
    counts = database.read(
        "SELECT state, count(*) FROM jobs WHERE ended_at > ? AND +state <> 'cancelled' GROUP BY state", (moment,)
    )
    failed = database.read(
        f"{JOBS} WHERE jobs.ended_at > ? AND +jobs.state = 'failed' ORDER BY jobs.ended_at DESC LIMIT ?", (moment, limit)
    )
    return _counted(counts), [shown(row) for row in failed]


def live_in_group(database: Database, group_id: int) -> int:
    """Count the unfinished jobs of a group."""
    sql = "SELECT total(jobs) FROM group_counts WHERE group_id = ? AND state IN ('queued', 'running')"
    return int(database.read(sql, (group_id,))[0][0])


def members(database: Database, group_id: int) -> list[JobRecord]:
    """Read the jobs of a group, oldest first."""
    return [shown(row) for row in database.read(f"{JOBS} WHERE jobs.group_id = ? ORDER BY jobs.id", (group_id,))]


def keys(database: Database, states: Iterable[str], limit: int) -> list[tuple[int, str | None]]:
    """Read the ids and names of the newest jobs, in some states or in any."""
    wanted = sorted(states)
    where = f"WHERE state IN ({', '.join('?' * len(wanted))})" if wanted else ""
    rows = database.read(f"SELECT id, name FROM jobs {where} ORDER BY id DESC LIMIT ?", (*wanted, limit))
    return [(columns.any_whole(row, "id"), columns.any_text(row, "name") or None) for row in rows]


def names(database: Database, beginning: str, limit: int) -> list[str]:
    """Read the first names of jobs, by the alphabet, that begin with a text, by jumping through an index."""
    sql = """WITH RECURSIVE found (value) AS (
            SELECT min(name) FROM jobs WHERE name >= :beginning
            UNION ALL
            SELECT (SELECT min(name) FROM jobs WHERE name > found.value) FROM found WHERE found.value IS NOT NULL
        ) SELECT value FROM found WHERE value IS NOT NULL LIMIT :limit"""
    rows = database.read(sql, {"beginning": beginning, "limit": limit}) if _storable(beginning) else []
    return [row[0] for row in rows if isinstance(row[0], str) and row[0].startswith(beginning)]


def group_keys(database: Database, limit: int) -> list[tuple[int, str | None]]:
    """Read the ids and names of the newest groups."""
    rows = database.read("SELECT id, name FROM groups ORDER BY id DESC LIMIT ?", (limit,))
    return [(columns.any_whole(row, "id"), columns.any_text(row, "name") or None) for row in rows]


def member_ids(database: Database, group_id: int) -> list[int]:
    """Read the ids of the jobs of a group, oldest first."""
    return [row[0] for row in database.read("SELECT id FROM jobs WHERE group_id = ? ORDER BY id", (group_id,))]


def ended_states(database: Database, job_ids: list[int]) -> dict[int, JobState]:
    """Return the finished ones of these jobs with their states; a job that was removed counts as finished."""
    rows = database.read("SELECT id, state FROM jobs WHERE id IN (SELECT value FROM json_each(?))", [json.dumps(job_ids)])
    states = {row["id"]: columns.any_state(row["state"]) for row in rows}
    found = {job_id: states.get(job_id, JobState.CANCELLED) for job_id in job_ids}
    return {job_id: state for job_id, state in found.items() if state.ended}
