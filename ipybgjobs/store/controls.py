"""Changes that users make to existing jobs: requests to the supervisor, priorities, pauses; each in one short transaction.

Nothing here changes a job's state; only the supervisor does.
"""

import json
from collections.abc import Iterable, Mapping

from ..model.records import Owner
from . import places
from .database import Database
from .insertion import NewRow, insert_many, insert_selected
from .requests import AdoptRequest, CancelRequest, RetryRequest, request_columns
from .submissions import SubmitContext, context_id, environment_id

_CHOSEN = "id IN (SELECT value FROM json_each(:wanted))"


def request_cancel(database: Database, job_ids: Iterable[int], grace: float | None, now: float) -> int:
    """Ask each place's supervisor to cancel the unfinished ones of these jobs, and return how many."""
    return _request_cancel(database, _CHOSEN, json.dumps(list(job_ids)), grace, now)


def request_cancel_of_group(database: Database, group_id: int, grace: float | None, now: float) -> int:
    """Ask each place's supervisor to cancel the unfinished jobs of a group, and return how many."""
    return _request_cancel(database, "group_id = :wanted", group_id, grace, now)


def _request_cancel(database: Database, which: str, value: str | int, grace: float | None, now: float) -> int:
    request = request_columns(CancelRequest(grace), now)
    expressions = {"job_id": "id", "place": "place", **{name: f":{name}" for name in request}}
    source = f"FROM jobs WHERE {which} AND state IN ('queued', 'running')"
    with database.transaction() as connection:
        return insert_selected(connection, "requests", expressions, source, {**request, "wanted": value})


def request_retry(database: Database, contexts: Mapping[int, SubmitContext], owner: Owner, now: float) -> None:
    """Ask for another attempt of finished jobs, each in its context."""
    chosen: dict[SubmitContext, list[int]] = {}
    for job_id, submit_context in contexts.items():
        chosen.setdefault(submit_context, []).append(job_id)
    with database.transaction() as connection:
        places.record_own(connection, database.folder)
        for submit_context, job_ids in chosen.items():
            asked = RetryRequest(context_id(connection, submit_context), environment_id(connection, submit_context))
            shared = {"place": owner.place, **request_columns(asked, now)}
            insert_many(connection, "requests", [{"job_id": job_id} for job_id in job_ids], shared)


def request_adoption(database: Database, notes: Mapping[int, str], owner: Owner, now: float) -> None:
    """Ask this place's supervisor to take over jobs whose place is gone; `notes` says for each who confirmed that."""
    rows = [
        {"job_id": job_id, "place": owner.place, **request_columns(AdoptRequest(note), now)} for job_id, note in notes.items()
    ]
    with database.transaction() as connection:
        places.record_own(connection, database.folder)
        insert_many(connection, "requests", rows)


def set_priority(database: Database, job_ids: Iterable[int], priority: int) -> list[int]:
    """Change the priority of the queued ones of these jobs, and return their ids."""
    sql = f"UPDATE jobs SET priority = :value WHERE {_CHOSEN} AND state = 'queued' RETURNING id"
    return _changed(database, sql, priority, job_ids)


def keep(database: Database, job_ids: Iterable[int], *, kept: bool) -> list[int]:
    """Exempt jobs from clean and retention, or revoke that; return the ids of those that exist."""
    return _changed(database, f"UPDATE jobs SET kept = :value WHERE {_CHOSEN} RETURNING id", kept, job_ids)


def _changed(database: Database, sql: str, value: int, job_ids: Iterable[int]) -> list[int]:
    values = {"value": value, "wanted": json.dumps(list(job_ids))}
    with database.transaction() as connection:
        return [row["id"] for row in connection.execute(sql, values).fetchall()]


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
