"""Changes that users make to existing jobs: requests to the supervisor, priorities, pauses; each in one short transaction.

Nothing here changes a job's state; only the supervisor does.
"""

import json
from collections.abc import Iterable, Mapping

from ..errors import UnknownJob
from ..model.records import JobState, Owner
from . import places
from .database import Database
from .insertion import NewRow, insert_many, insert_selected
from .requests import AdoptRequest, CancelRequest, RetryRequest, request_columns
from .submissions import Surroundings, context_id, environment_id


def request_cancel(database: Database, job_ids: Iterable[int], grace: float | None, now: float) -> int:
    """Ask each place's supervisor to cancel the unfinished ones of these jobs, and return how many."""
    return _request_cancel(database, "id IN (SELECT value FROM json_each(:wanted))", json.dumps(list(job_ids)), grace, now)


def request_cancel_of_group(database: Database, group_id: int, grace: float | None, now: float) -> int:
    """Ask each place's supervisor to cancel the unfinished jobs of a group, and return how many."""
    return _request_cancel(database, "group_id = :wanted", group_id, grace, now)


def _request_cancel(database: Database, which: str, value: str | int, grace: float | None, now: float) -> int:
    request = request_columns(CancelRequest(grace), now)
    expressions = {"job_id": "id", "place": "place", **{name: f":{name}" for name in request}}
    source = f"FROM jobs WHERE {which} AND state IN ('queued', 'running')"
    with database.transaction() as connection:
        return insert_selected(connection, "requests", expressions, source, {**request, "wanted": value})


def request_retry(database: Database, job_ids: Iterable[int], owner: Owner, surroundings: Surroundings, now: float) -> None:
    """Ask for another attempt of finished jobs, in the caller's context."""
    chosen = list(job_ids)
    with database.transaction() as connection:
        places.note_here(connection, database.folder)
        asked = RetryRequest(context_id(connection, surroundings), environment_id(connection, surroundings))
        shared = {"place": owner.place, **request_columns(asked, now)}
        insert_many(connection, "requests", [{"job_id": job_id} for job_id in chosen], shared)


def request_adoption(database: Database, notes: Mapping[int, str], owner: Owner, now: float) -> None:
    """Ask this place's supervisor to take over jobs whose place is gone; `notes` says for each who confirmed that."""
    rows = [
        {"job_id": job_id, "place": owner.place, **request_columns(AdoptRequest(note), now)} for job_id, note in notes.items()
    ]
    with database.transaction() as connection:
        places.note_here(connection, database.folder)
        insert_many(connection, "requests", rows)


def set_priority(database: Database, job_id: int, priority: int) -> bool:
    """Give a queued job another priority; False if it is not queued."""
    with database.transaction() as connection:
        cursor = connection.execute(
            "UPDATE jobs SET priority = ? WHERE id = ? AND state = ?", (priority, job_id, JobState.QUEUED)
        )
    return cursor.rowcount == 1


def keep(database: Database, job_id: int, *, kept: bool) -> None:
    """Exempt a job from clean and retention, or revoke that.

    Raises
    ------
    UnknownJob
        If the job is gone.
    """
    with database.transaction() as connection:
        if not connection.execute("UPDATE jobs SET kept = ? WHERE id = ?", (kept, job_id)).rowcount:
            raise UnknownJob(f"Job {job_id} is no longer in {database.path}.")


def pause(database: Database, queues: Iterable[str], now: float) -> None:
    """Keep jobs of these queues from starting."""
    rows: list[NewRow] = [{"queue": name, "paused_at": now} for name in queues]
    with database.transaction() as connection:
        insert_many(connection, "paused", rows, or_else="IGNORE")


def resume(database: Database, queue: str | None) -> list[str]:
    """Let jobs of one queue, or of all queues, start again; return the queues that were paused."""
    with database.transaction() as connection:
        sql = "DELETE FROM paused WHERE queue = coalesce(?, queue) RETURNING queue"
        return sorted(row["queue"] for row in connection.execute(sql, (queue,)).fetchall())
