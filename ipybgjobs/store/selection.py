"""Reading several chosen jobs at once, by one statement however many they are; changes nothing."""

import contextlib
import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..model.call import Call
from ..model.records import JobRecord
from . import columns
from .database import Database
from .queries import JOBS, shown

_CHOSEN = "IN (SELECT value FROM json_each(?))"


class FailedDependency(NamedTuple):
    """A job that did not succeed although another job needs its success."""

    id: int
    removed: bool


def jobs(database: Database, uids: Iterable[str]) -> dict[str, JobRecord]:
    """Read jobs to show, by uid; those that were removed are missing."""
    rows = database.read(f"{JOBS} WHERE jobs.uid {_CHOSEN}", (json.dumps(list(uids)),))
    return {record.uid: record for record in map(shown, rows)}


def calls(database: Database, job_ids: Iterable[int]) -> dict[int, Call]:
    """Read the calls of jobs, to show them, by id; those that were removed are missing."""
    rows = database.read(f"{JOBS} WHERE jobs.id {_CHOSEN}", (json.dumps(list(job_ids)),))
    return {record.id: record.call for record in map(shown, rows)}


def last_folders(database: Database, job_ids: Iterable[int]) -> dict[int, str]:
    """Return the folder of each job's newest attempt that was launched, relative to the state folder."""
    sql = f"""SELECT job_id, folder FROM attempts WHERE job_id {_CHOSEN} AND number > 0 AND folder IS NOT NULL
        ORDER BY job_id, number"""
    found = {}
    for row in database.read(sql, (json.dumps(list(job_ids)),)):
        with contextlib.suppress(columns.UnreadableRow):
            found[row["job_id"]] = columns.folder_or_none(row)
    return {job_id: folder for job_id, folder in found.items() if folder is not None}


def failed_dependencies(database: Database, job_ids: Sequence[int]) -> dict[int, FailedDependency]:
    """Return which of these jobs need the success of another job that did not succeed, each with that job.

    Of several such jobs, one that was removed is returned: it can't be retried.
    """
    ids = json.dumps(list(job_ids))
    sql = f"""SELECT job_id, on_id, state IS NULL FROM dependencies LEFT JOIN jobs ON jobs.id = on_id
        WHERE job_id {_CHOSEN} AND NOT anyway AND coalesce(state, 'failed') IN ('failed', 'cancelled') AND NOT on_id {_CHOSEN}
        ORDER BY state IS NULL"""
    return {row[0]: FailedDependency(row[1], bool(row[2])) for row in database.read(sql, (ids, ids))}


def live_elsewhere(database: Database, group_id: int, here: str) -> list[JobRecord]:
    """Read the unfinished jobs of a group that belong to another place."""
    sql = f"{JOBS} WHERE jobs.group_id = ? AND jobs.state IN ('queued', 'running') AND jobs.place != ? ORDER BY jobs.id"
    return [shown(row) for row in database.read(sql, (group_id, here))]
