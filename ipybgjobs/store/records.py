"""Reading one job, its attempts, and what concerns it; changes nothing."""

import functools
import json
import sqlite3
from typing import Any

from ..call import Call
from ..errors import UnknownJob
from ..models import Attempt, JobRecord, JobState, Outcome, Owner
from ..origin import Origin
from ..retry import RetryRules
from ..source import Source
from .database import Database

#: A job with the parameters that it shares with its group.
COLUMNS = "jobs.*, groups.common, groups.pickled AS common_pickled, groups.hidden AS common_hidden, groups.uid AS group_uid"
TABLES = "jobs LEFT JOIN groups ON groups.id = jobs.group_id"
JOBS = f"SELECT {COLUMNS} FROM {TABLES}"


def job_record(row: sqlite3.Row) -> JobRecord:
    """Build a job from a row of `JOBS`."""
    return JobRecord(
        id=row["id"],
        uid=row["uid"],
        call=call(row),
        name=row["name"],
        queue=row["queue"],
        priority=row["priority"],
        state=JobState(row["state"]),
        not_before=row["not_before"],
        submitted_at=row["submitted_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        error=row["error"],
        attempt=row["attempt"],
        allowed_attempts=row["allowed_attempts"],
        rules=_rules(row["rules"]),
        timeout=row["timeout"],
        owner=Owner(row["place"], row["host"]),
        ready=bool(row["ready"]),
        blockers=row["blockers"],
        deadline=row["deadline"],
        kept=bool(row["kept"]),
        retried_from=row["retried_from"],
        group_id=row["group_id"],
        unique_key=row["unique_key"],
    )


def call(row: sqlite3.Row) -> Call:
    """Build what is called from a row of `JOBS`, the group's common parameters first."""
    plain, pickled, hidden = _parsed(row["params"]), _parsed(row["pickled"]), _parsed(row["hidden"])
    if row["common"] is not None:
        plain, pickled = {**_parsed(row["common"]), **plain}, {**_parsed(row["common_pickled"]), **pickled}
        hidden = [*_parsed(row["common_hidden"]), *hidden]
    return Call(row["target"], _parsed(row["init"]), plain, pickled, tuple(_parsed(row["secrets"])), tuple(hidden))


def _parsed(text: str) -> Any:
    """Parse JSON; most of it is empty."""
    if text == "{}":
        return {}
    return [] if text == "[]" else json.loads(text)


@functools.lru_cache(maxsize=256)
def _rules(text: str) -> RetryRules:
    """Parse retry rules, which many jobs share."""
    return RetryRules.from_json(json.loads(text))


def job(database: Database, key: int | str) -> JobRecord:
    """Read one job by id, uid or name (the newest so named).

    Raises
    ------
    UnknownJob
        If there is none.
    """
    column = "id" if isinstance(key, int) else "uid"
    try:
        rows = database.read(f"{JOBS} WHERE jobs.{column} = ?", (key,))
        if not rows and isinstance(key, str):
            rows = database.read(f"{JOBS} WHERE jobs.name = ? ORDER BY jobs.id DESC LIMIT 1", (key,))
    except (OverflowError, UnicodeEncodeError):
        rows = []  # no id is so large, and no name holds such characters
    if not rows:
        what = f"id {key}" if isinstance(key, int) else f"name or uid {key!r}"
        raise UnknownJob(f"There is no job with {what} in {database.path}; `jupyter bgjobs list` shows those that are there.")
    return job_record(rows[0])


def state(database: Database, job_id: int) -> JobState:
    """Read a job's state, and no more.

    Raises
    ------
    UnknownJob
        If the job is gone.
    """
    rows = database.read("SELECT state FROM jobs WHERE id = ?", (job_id,))
    if not rows:
        raise UnknownJob(f"Job {job_id} is no longer in {database.path}.")
    return JobState(rows[0]["state"])


def attempts(database: Database, job_id: int) -> list[Attempt]:
    """Read a job's attempts, oldest first."""
    rows = database.read("SELECT * FROM attempts WHERE job_id = ? AND number > 0 ORDER BY number", (job_id,))
    return [_attempt(row) for row in rows]


def hook(database: Database, job_id: int) -> Attempt | None:
    """Read how the call of a job's hook went, the last one; None where there was none."""
    rows = database.read("SELECT * FROM attempts WHERE job_id = ? AND number = 0", (job_id,))
    return _attempt(rows[0]) if rows else None


def dependencies(database: Database, job_id: int) -> list[int]:
    """Read the ids of the jobs that a job comes after."""
    return [row[0] for row in database.read("SELECT on_id FROM dependencies WHERE job_id = ? ORDER BY on_id", (job_id,))]


def remaining_dependencies(database: Database, job_id: int) -> tuple[list[int], list[int]]:
    """Read the jobs that a job comes after and that are still there: those that must succeed, and those that must end."""
    sql = "SELECT on_id, anyway FROM dependencies JOIN jobs ON jobs.id = on_id WHERE job_id = ? ORDER BY on_id"
    rows = database.read(sql, (job_id,))
    return [row[0] for row in rows if not row["anyway"]], [row[0] for row in rows if row["anyway"]]


def failed_dependency(database: Database, job_id: int) -> int | None:
    """Return a job without whose success another can't run, and which has failed or was cancelled; None if there is none."""
    sql = """SELECT on_id FROM dependencies JOIN jobs ON jobs.id = on_id
        WHERE job_id = ? AND NOT anyway AND state IN ('failed', 'cancelled') LIMIT 1"""
    rows = database.read(sql, (job_id,))
    return rows[0][0] if rows else None


def live_holder(database: Database, key: str) -> int | None:
    """Return the live job that holds a unique key."""
    sql = "SELECT id FROM jobs WHERE unique_key = ? AND state IN ('queued', 'running') AND NOT replaced"
    rows = database.read(sql, (key,))
    return rows[0][0] if rows else None


def reusable(database: Database, fingerprint: str | None, since: float | None) -> JobRecord | None:
    """Return the newest job that has succeeded with the same fingerprint and whose result is kept; none if one is None."""
    if fingerprint is None or since is None:
        return None
    sql = f"""{JOBS} WHERE fingerprint = ? AND jobs.state = 'succeeded' AND jobs.ended_at >= ? AND jobs.error IS NULL
        ORDER BY jobs.id DESC LIMIT 1"""
    rows = database.read(sql, (fingerprint, since))
    return job_record(rows[0]) if rows else None


def queues_in_use(database: Database) -> list[str]:
    """Read the queues that have jobs waiting, configured or no longer."""
    return [row[0] for row in database.read("SELECT DISTINCT queue FROM jobs WHERE state = 'queued' ORDER BY queue")]


def paused(database: Database) -> list[str]:
    """Read which queues are paused."""
    return [row[0] for row in database.read("SELECT queue FROM paused ORDER BY queue")]


def is_paused(database: Database, queue: str) -> bool:
    """Whether a queue is paused."""
    return bool(database.read("SELECT 1 FROM paused WHERE queue = ?", (queue,)))


def _attempt(row: sqlite3.Row) -> Attempt:
    return Attempt(
        job_id=row["job_id"],
        number=row["number"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        outcome=None if row["outcome"] is None else Outcome(row["outcome"]),
        error=row["error"],
        traceback=row["traceback"],
        exit_code=row["exit_code"],
        signal=row["signal"],
        peak_memory=row["peak_memory"],
        cpu_seconds=row["cpu_seconds"],
        launched_by=row["launched_by"],
        launch_reason=row["launch_reason"],
        folder=row["folder"],
        owner=Owner(row["place"], row["host"]),
        slot=row["slot"],
        source=_source(row["source"]),
        origin_id=row["origin"],
    )


def _source(text: str | None) -> Source | None:
    """The file that ran; None where its hash is not known."""
    values = None if text is None else json.loads(text)
    return Source.from_json(values) if values is not None and len(values) == 4 else None  # noqa: PLR2004 - with its hash


def origin(database: Database, origin_id: int | None) -> Origin | None:
    """Read what surrounded an attempt; None where it is not known."""
    rows = database.read("SELECT body FROM origins WHERE id = ?", (origin_id,))
    return Origin.from_json(json.loads(rows[0][0])) if rows else None


def submitted_source(database: Database, job_id: int) -> Source | None:
    """Read the target's file as it was at submit."""
    rows = database.read("SELECT source FROM jobs WHERE id = ?", (job_id,))
    return _source(rows[0][0]) if rows else None


def last_success(database: Database, target: str, before: int) -> int | None:
    """Return the newest job of a target, older than another, that has succeeded."""
    sql = """SELECT id FROM jobs INDEXED BY jobs_target WHERE target = ? AND id < ? AND state = 'succeeded'
        ORDER BY id DESC LIMIT 1"""
    rows = database.read(sql, (target, before))
    return rows[0][0] if rows else None


def has_work(database: Database, place: str) -> bool:
    """Whether a supervisor of the place has anything to do: a job that has not ended, or a request."""
    sql = """SELECT EXISTS (SELECT 1 FROM jobs WHERE state = 'queued' AND place = :place)
        OR EXISTS (SELECT 1 FROM jobs WHERE hook IS NOT NULL AND place = :place)
        OR EXISTS (SELECT 1 FROM attempts WHERE outcome IS NULL AND place = :place)
        OR EXISTS (SELECT 1 FROM requests WHERE place = :place)"""
    return bool(database.read(sql, {"place": place})[0][0])


def has_request(database: Database, job_ids: list[int]) -> bool:
    """Whether what somebody asked for about one of the jobs is still to be answered."""
    sql = "SELECT 1 FROM requests WHERE job_id IN (SELECT value FROM json_each(?)) LIMIT 1"
    return bool(database.read(sql, (json.dumps(job_ids),)))


def supervisors(database: Database) -> list[sqlite3.Row]:
    """Read who supervises, or did: rows of the table ``supervisors``."""
    return database.read("SELECT * FROM supervisors ORDER BY heard_at DESC")
