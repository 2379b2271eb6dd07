"""Changes that users make to existing jobs: requests to the supervisor, priorities, pauses; each in one short transaction.

Nothing here changes a job's state; only the supervisor does.
"""

import json
from collections.abc import Iterable, Mapping

from ..errors import UnknownJob
from ..model.records import JobState, Owner
from . import places
from .database import Database
from .submissions import Surroundings, context_id, environment_id


def request_cancel(database: Database, job_ids: Iterable[int], grace: float | None, now: float) -> int:
    """Ask each place's supervisor to cancel the unfinished ones of these jobs, and return how many."""
    return _request_cancel(database, "id IN (SELECT value FROM json_each(?))", json.dumps(list(job_ids)), grace, now)


def request_cancel_of_group(database: Database, group_id: int, grace: float | None, now: float) -> int:
    """Ask each place's supervisor to cancel the unfinished jobs of a group, and return how many."""
    return _request_cancel(database, "group_id = ?", group_id, grace, now)


def _request_cancel(database: Database, which: str, value: str | int, grace: float | None, now: float) -> int:
    options = json.dumps({"grace": grace})
    with database.transaction() as connection:
        cursor = connection.execute(
            f"""INSERT INTO requests (job_id, place, verb, options, requested_at)
            SELECT id, place, 'cancel', ?, ? FROM jobs WHERE {which} AND state IN ('queued', 'running')""",
            (options, now, value),
        )
    return cursor.rowcount


def request_retry(database: Database, job_ids: Iterable[int], owner: Owner, surroundings: Surroundings, now: float) -> None:
    """Ask for another attempt of finished jobs, in the caller's context."""
    chosen = list(job_ids)
    with database.transaction() as connection:
        places.note_here(connection, database.folder)
        environment = environment_id(connection, surroundings)
        options = {
            "context": context_id(connection, surroundings),
            "environment": environment,
        }
        text = json.dumps(options)
        connection.executemany(
            "INSERT INTO requests (job_id, place, verb, options, environment, requested_at) VALUES (?, ?, 'retry', ?, ?, ?)",
            [(job_id, owner.place, text, environment, now) for job_id in chosen],
        )


def request_adoption(database: Database, notes: Mapping[int, str], owner: Owner, now: float) -> None:
    """Ask this place's supervisor to take over jobs whose place is gone; `notes` says for each who confirmed that."""
    rows = [(job_id, owner.place, json.dumps({"note": note}), now) for job_id, note in notes.items()]
    with database.transaction() as connection:
        places.note_here(connection, database.folder)
        connection.executemany(
            "INSERT INTO requests (job_id, place, verb, options, requested_at) VALUES (?, ?, 'adopt', ?, ?)",
            rows,
        )


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
    rows = [(name, now) for name in queues]
    with database.transaction() as connection:
        connection.executemany("INSERT OR IGNORE INTO paused (queue, paused_at) VALUES (?, ?)", rows)


def resume(database: Database, queue: str | None) -> list[str]:
    """Let jobs of one queue, or of all queues, start again; return the queues that were paused."""
    with database.transaction() as connection:
        sql = "DELETE FROM paused WHERE queue = coalesce(?, queue) RETURNING queue"
        return sorted(row["queue"] for row in connection.execute(sql, (queue,)).fetchall())
