"""Reading one job, its attempts and everything related to it; changes nothing."""

import contextlib
import functools
import json
import sqlite3
from collections.abc import Iterable, Sequence

from ..errors import StoreError, UnknownJob
from ..model import job_key, json_text, surface
from ..model.call import Call
from ..model.records import Attempt, JobRecord, JobState, Outcome, Owner
from ..model.redaction import quoted
from ..model.retry import RetrySettings
from ..model.source import SourceFile
from ..targets.context import Context
from ..targets.origin import Origin
from . import columns
from .columns import UnreadableRow
from .database import Database

#: A job, with the parameters that it shares with its group.
COLUMNS = (
    "jobs.*, groups.common, groups.pickled AS common_pickled, groups.hidden AS common_hidden, groups.uid AS group_uid, "
    "groups.name AS group_name"
)
TABLES = "jobs LEFT JOIN groups ON groups.id = jobs.group_id"
JOBS = f"SELECT {COLUMNS} FROM {TABLES}"


def job_record(row: sqlite3.Row) -> JobRecord:
    """Build a job from a row of `JOBS`.

    Raises
    ------
    UnreadableRow
        If it was not written by ipybgjobs.
    """
    return JobRecord(
        id=columns.whole(row, "id"),
        uid=columns.uid(row),
        call=call(row),
        name=columns.text_or_none(row, "name"),
        queue=columns.text(row, "queue"),
        priority=columns.whole(row, "priority"),
        state=columns.state(row),
        not_before=columns.moment(row, "not_before"),
        submitted_at=columns.moment(row, "submitted_at"),
        started_at=columns.moment_or_none(row, "started_at"),
        ended_at=columns.moment_or_none(row, "ended_at"),
        retrying_since=columns.moment_or_none(row, "retrying_since"),
        waited=columns.number(row, "waited"),
        error=columns.text_or_none(row, "error"),
        attempt=columns.whole(row, "attempt"),
        allowed_attempts=columns.whole(row, "allowed_attempts"),
        retry_settings=_retry_settings(columns.text(row, "rules")),
        timeout=columns.number_or_none(row, "timeout"),
        owner=Owner(columns.label(row, "place"), columns.label(row, "host")),
        ready=bool(row["ready"]),
        pending_dependencies=columns.whole(row, "blockers"),
        deadline=columns.moment_or_none(row, "deadline"),
        kept=bool(row["kept"]),
        retried_from=columns.whole_or_none(row, "retried_from"),
        group_id=columns.whole_or_none(row, "group_id"),
        unique_key=columns.text_or_none(row, "unique_key"),
        notebook=columns.text_or_none(row, "notebook"),
    )


def shown(row: sqlite3.Row) -> JobRecord:
    """Build a job to show in a list: one whose row can't be read says so, and does not prevent others from being shown."""
    try:
        return job_record(row)
    except UnreadableRow as error:
        return _stand_in(row, error)


def _stand_in(row: sqlite3.Row, error: UnreadableRow) -> JobRecord:
    """Build a placeholder for a row that can't be read."""
    return JobRecord(
        id=columns.any_whole(row, "id"),
        uid=columns.any_uid(row),
        call=Call(columns.any_label(row, "target"), {}, {}, {}),
        name=None,
        queue=columns.any_label(row, "queue"),
        priority=0,
        state=columns.any_state(row["state"]),
        not_before=0.0,
        submitted_at=0.0,
        started_at=None,
        ended_at=None,
        error=f"its row in the store can't be read: {error}",
        attempt=columns.any_whole(row, "attempt"),
        allowed_attempts=1,
        retry_settings=RetrySettings(max_attempts=1),
        timeout=None,
        owner=Owner(columns.any_label(row, "place"), columns.any_label(row, "host")),
    )


def call(row: sqlite3.Row) -> Call:
    """Build the call from a row of `JOBS`, with the group's common parameters last, since those that differ matter more.

    Raises
    ------
    UnreadableRow
        If it was not written by ipybgjobs.
    """
    plain, pickled = columns.mapping(row, "params"), columns.texts_by_name(row, "pickled")
    hidden = columns.texts(row, "hidden")
    if row["common"] is not None:
        plain = {**plain, **columns.mapping(row, "common")}
        pickled = {**pickled, **columns.texts_by_name(row, "common_pickled")}
        hidden = (*columns.texts(row, "common_hidden"), *hidden)
    secrets = columns.texts(row, "secrets")
    return Call(columns.label(row, "target"), columns.mapping(row, "init"), plain, pickled, secrets, hidden)


@functools.lru_cache(maxsize=256)
def _retry_settings(text: str) -> RetrySettings:
    """Parse retry settings, which many jobs share."""
    try:
        rules = RetrySettings.from_json(json_text.parse(text))
        numbers = (*rules.delay_seconds, rules.backoff_factor, rules.max_delay_seconds, rules.jitter)
        names = (*rules.retry_on, *rules.never_retry)
        whole = all(type(each) in (int, float) for each in numbers) and all(isinstance(each, str) for each in names)
    except (ValueError, TypeError, AttributeError):
        whole = False
    if not whole or type(rules.max_attempts) is not int or not rules.delay_seconds or type(rules.requested) is not bool:
        raise UnreadableRow("rules")
    return rules


def job(database: Database, key: int | str) -> JobRecord:
    """Read one job by id, uid or name (the newest with that name).

    Raises
    ------
    UnknownJob
        If there is none.
    StoreError
        If its row was not written by ipybgjobs.
    """
    row = _row(database, key)
    try:
        return job_record(row)
    except UnreadableRow as error:
        raise StoreError(_unreadable(f"Job {row['id']}", error, database)) from None


def shown_job(database: Database, key: int | str) -> JobRecord:
    """Read one job to show; see `job` and `shown`.

    Raises
    ------
    UnknownJob
        If there is none.
    """
    return shown(_row(database, key))


def _row(database: Database, key: int | str) -> sqlite3.Row:
    key = job_key.of(key)
    column = "id" if isinstance(key, int) else "uid"
    try:
        rows = database.read(f"{JOBS} WHERE jobs.{column} = ?", (key,))
        if not rows and isinstance(key, str):
            rows = database.read(f"{JOBS} WHERE jobs.name = ? ORDER BY jobs.id DESC LIMIT 1", (key,))
    except (OverflowError, UnicodeEncodeError):
        rows = []  # no id is that large, and no name contains such characters
    if not rows:
        what = f"{'id' if isinstance(key, int) else 'name or uid'} {quoted(key)}"
        raise UnknownJob(
            f"There is no job with {what} in {database.path}; {surface.command('list', 'bg.jobs()')} shows the existing jobs."
        )
    return rows[0]


def _unreadable(what: str, error: UnreadableRow, database: Database) -> str:
    return f"{what} in {database.path} can't be read: {error}. Delete its row, or restore the store from a backup."


def state(database: Database, job_id: int) -> JobState:
    """Read only a job's state.

    Raises
    ------
    UnknownJob
        If the job is gone.
    """
    rows = database.read(f"SELECT {columns.STATE} AS state FROM jobs WHERE id = ?", (job_id,))
    if not rows:
        raise UnknownJob(f"Job {job_id} is no longer in {database.path}.")
    return columns.any_state(rows[0]["state"])


def attempts(database: Database, job_id: int) -> list[Attempt]:
    """Read a job's attempts, oldest first."""
    rows = database.read("SELECT * FROM attempts WHERE job_id = ? AND number > 0 ORDER BY number", (job_id,))
    return [_read_attempt(row, database) for row in rows]


def hook(database: Database, job_id: int) -> Attempt | None:
    """Read the last call of a job's hook; None if there was none."""
    rows = database.read("SELECT * FROM attempts WHERE job_id = ? AND number = 0", (job_id,))
    return _read_attempt(rows[0], database) if rows else None


def recent_ends(database: Database, place: str) -> list[Attempt]:
    """Read the attempts that ended in the last transaction of a place's supervisor, which gives all of them the same time.

    Only the newest of each job, and none that was never launched; what can't be read is left out.
    """
    found = []
    for row in database.read(_LAST_ENDS, {"place": place}):
        with contextlib.suppress(UnreadableRow):
            found.append(_attempt(row))
    return found


#: Jobs that wait for a retry have no end of their own.
_LAST_ENDS = """WITH ends AS (
        SELECT attempts.* FROM attempts JOIN jobs ON jobs.id = attempts.job_id AND attempts.number = jobs.attempt
        WHERE jobs.id IN (
            SELECT id FROM jobs WHERE ended_at = (
                SELECT ended_at FROM jobs WHERE ended_at IS NOT NULL AND place = :place ORDER BY ended_at DESC LIMIT 1)
            UNION SELECT id FROM jobs WHERE state = 'queued' AND place = :place)
        AND attempts.place = :place AND attempts.number > 0 AND attempts.folder IS NOT NULL)
    SELECT * FROM ends WHERE ended_at = (SELECT max(ended_at) FROM ends)"""


def dependencies(database: Database, job_id: int) -> list[int]:
    """Read the ids of the jobs that a job depends on."""
    return [row[0] for row in database.read("SELECT on_id FROM dependencies WHERE job_id = ? ORDER BY on_id", (job_id,))]


def remaining_dependencies(database: Database, job_id: int) -> tuple[list[int], list[int]]:
    """Read the existing jobs that a job depends on: those that must succeed, and those that must only finish."""
    sql = "SELECT on_id, anyway FROM dependencies JOIN jobs ON jobs.id = on_id WHERE job_id = ? ORDER BY on_id"
    rows = database.read(sql, (job_id,))
    return [row[0] for row in rows if not row["anyway"]], [row[0] for row in rows if row["anyway"]]


def queues_in_use(database: Database) -> list[str]:
    """Read the queues that have waiting jobs, whether or not they are still configured."""
    rows = database.read("SELECT DISTINCT queue FROM jobs WHERE state = 'queued' AND typeof(queue) = 'text' ORDER BY queue")
    return [row[0] for row in rows]


def paused(database: Database) -> list[str]:
    """Read which queues are paused."""
    return [row[0] for row in database.read("SELECT queue FROM paused WHERE typeof(queue) = 'text' ORDER BY queue")]


def is_paused(database: Database, queue: str) -> bool:
    """Return whether a queue is paused."""
    return bool(database.read("SELECT 1 FROM paused WHERE queue = ?", (queue,)))


def _read_attempt(row: sqlite3.Row, database: Database) -> Attempt:
    try:
        return _attempt(row)
    except UnreadableRow as error:
        what = f"Attempt {columns.any_whole(row, 'number')} of job {columns.any_whole(row, 'job_id')}"
        raise StoreError(_unreadable(what, error, database)) from None


def _attempt(row: sqlite3.Row) -> Attempt:
    return Attempt(
        job_id=columns.whole(row, "job_id"),
        number=columns.whole(row, "number"),
        started_at=columns.moment(row, "started_at"),
        ended_at=columns.moment_or_none(row, "ended_at"),
        outcome=_outcome(row),
        error=columns.text_or_none(row, "error"),
        traceback=columns.text_or_none(row, "traceback"),
        exit_code=columns.whole_or_none(row, "exit_code"),
        signal=columns.whole_or_none(row, "signal"),
        peak_memory=columns.whole_or_none(row, "peak_memory"),
        cpu_seconds=columns.number_or_none(row, "cpu_seconds"),
        launched_by=columns.text_or_none(row, "launched_by"),
        launch_reason=columns.text_or_none(row, "launch_reason"),
        folder=columns.folder_or_none(row),
        owner=Owner(columns.label(row, "place"), columns.label(row, "host")),
        slot=columns.whole_or_none(row, "slot"),
        source=_source(row["source"]),
        origin_id=columns.whole_or_none(row, "origin"),
    )


def _outcome(row: sqlite3.Row) -> Outcome | None:
    try:
        return None if row["outcome"] is None else Outcome(row["outcome"])
    except ValueError:
        raise UnreadableRow("outcome") from None


def _source(text: str | None) -> SourceFile | None:
    """Return the file that ran; None if it or its hash is unknown."""
    try:
        return None if text is None else SourceFile.from_json(json_text.parse(text))
    except (ValueError, TypeError):
        return None


def ended_folders(database: Database) -> list[tuple[int, str]]:
    """Read the folders of all finished attempts, relative to the state folder, each with the id of its job."""
    rows = database.read("SELECT job_id, folder FROM attempts WHERE ended_at IS NOT NULL AND typeof(folder) = 'text'")
    return [(row["job_id"], row["folder"]) for row in rows]


def origin(database: Database, origin_id: int | None) -> Origin | None:
    """Read the origin of an attempt's code; None if it is unknown."""
    rows = database.read("SELECT body FROM origins WHERE id = ?", (origin_id,))
    try:
        return Origin.from_json(json_text.parse(rows[0][0])) if rows else None
    except (ValueError, TypeError):
        return None


def submitted_source(database: Database, job_id: int) -> SourceFile | None:
    """Read the target's file as it was at submit."""
    rows = database.read("SELECT source FROM jobs WHERE id = ?", (job_id,))
    return _source(rows[0][0]) if rows else None


def last_success(database: Database, target: str, before: int) -> int | None:
    """Return the newest successful job of a target that is older than a given job."""
    sql = """SELECT id FROM jobs INDEXED BY jobs_target WHERE target = ? AND id < ? AND state = 'succeeded'
        ORDER BY id DESC LIMIT 1"""
    rows = database.read(sql, (target, before))
    return rows[0][0] if rows else None


def has_work(database: Database, place: str) -> bool:
    """Return whether a supervisor of the place has anything to do: an unfinished job, or a request."""
    sql = """SELECT EXISTS (SELECT 1 FROM jobs WHERE state = 'queued' AND place = :place)
        OR EXISTS (SELECT 1 FROM jobs WHERE hook IS NOT NULL AND place = :place)
        OR EXISTS (SELECT 1 FROM attempts WHERE outcome IS NULL AND place = :place)
        OR EXISTS (SELECT 1 FROM requests WHERE place = :place)"""
    return bool(database.read(sql, {"place": place})[0][0])


def has_had_jobs(database: Database) -> bool:
    """Return whether the store ever contained a job; ids are never reused."""
    return bool(database.read("SELECT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'jobs')")[0][0])


def known(database: Database, uids: Iterable[str]) -> set[str]:
    """Return the uids that belong to jobs or groups."""
    text = json.dumps(list(uids))
    wanted = "uid IN (SELECT value FROM json_each(?))"
    sql = f"SELECT uid FROM jobs WHERE {wanted} UNION ALL SELECT uid FROM groups WHERE {wanted}"
    return {row[0] for row in database.read(sql, (text, text))}


def context(database: Database, job_id: int) -> int:
    """Return the id of the context that a job was submitted in; 0 if the job is gone."""
    rows = database.read("SELECT context FROM jobs WHERE id = ?", (job_id,))
    return int(rows[0][0]) if rows else 0


def submit_context(database: Database, job_id: int) -> Context | None:
    """Read where and how a job was submitted: interpreter, folder, path; None if that can't be read."""
    sql = "SELECT body FROM contexts JOIN jobs ON jobs.context = contexts.id WHERE jobs.id = ?"
    rows = database.read(sql, (job_id,))
    try:
        return Context.from_text(columns.text(rows[0], "body")) if rows else None
    except ValueError:
        return None


def contexts_of(database: Database, job_ids: Sequence[int]) -> dict[int, str]:
    """Return where and how jobs were submitted, as the texts of contexts."""
    sql = """SELECT jobs.id, body FROM contexts JOIN jobs ON jobs.context = contexts.id
        WHERE jobs.id IN (SELECT value FROM json_each(?)) AND typeof(body) = 'text'"""
    return {row["id"]: row["body"] for row in database.read(sql, (json.dumps(list(job_ids)),))}


def has_request(database: Database, job_ids: list[int]) -> bool:
    """Return whether a request about one of the jobs is still unanswered."""
    sql = "SELECT 1 FROM requests WHERE job_id IN (SELECT value FROM json_each(?)) LIMIT 1"
    return bool(database.read(sql, (json.dumps(job_ids),)))
