"""The supervisor's view of the queues: jobs that may start, what the others wait for, and the steps that lead a job to its start.

A queued job is *ready* when it waits only for a slot: its start time has come, and no dependency is pending. Only ready jobs
are searched at a claim, so ten thousand jobs that wait for their start time cost nothing.
"""

import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from ..model.records import Owner
from ..targets.context import Context
from . import requests, row_cache, scheduled_job
from .queries import JOBS
from .requests import Request, UnreadableRequest
from .row_cache import Parser, Unparsed
from .scheduled_job import Claim, Environment, ScheduledJob, UnreadableJob

#: Returns parsed rows.
Read = Callable[[Parser, list[sqlite3.Row]], list[Any]]

#: Number of jobs of a queue that are parsed together.
_AHEAD = 16

#: A job with its group's parameters, the text of its context, and its newest attempt.
_JOBS = JOBS.replace(
    "FROM jobs",
    """, jobs.void_launches, contexts.body AS context_body, last.folder AS last_folder, last.outcome AS last_outcome
    FROM jobs LEFT JOIN contexts ON contexts.id = jobs.context
        LEFT JOIN attempts AS last ON last.job_id = jobs.id AND last.number = jobs.attempt""",
    1,
)

#: A job whose times were written before the clock was set.
_OF_ANOTHER_CLOCK = "place = :place AND state IN ('queued', 'running') AND abs(booted_at - :booted_at) >= :step"


class Schedule:
    """The queues of one place, in one transaction.

    Parameters
    ----------
    connection : sqlite3.Connection
        Inside a transaction if it changes anything.
    owner : Owner
        Owner of the supervisor; jobs of other places are not its own.
    now : float
        Seconds since the epoch.
    read : callable
        Parses rows with a parser, or returns them as parsed before (see `row_cache`).
    """

    def __init__(self, connection: sqlite3.Connection, owner: Owner, now: float, read: Read = row_cache.at_once) -> None:
        self._connection = connection
        self._place = owner.place
        self.now = now
        self._read = read

    # -- waiting jobs ---------------------------------------------------------------------------------------------

    def promote(self) -> int:
        """Make the jobs ready whose start time has come; return how many."""
        sql = """UPDATE jobs SET ready = 1
            WHERE state = 'queued' AND ready = 0 AND blockers = 0 AND place = ? AND not_before <= ?"""
        return self._connection.execute(sql, (self._place, self.now)).rowcount

    def next_due(self) -> float | None:
        """Return the next time at which a start or a deadline is due; None if there is none."""
        sql = """SELECT min(due) FROM (
            SELECT min(not_before) AS due FROM jobs WHERE state = 'queued' AND ready = 0 AND blockers = 0 AND place = :place
            UNION ALL SELECT min(deadline) FROM jobs WHERE state = 'queued' AND deadline IS NOT NULL AND place = :place)"""
        found = self._connection.execute(sql, {"place": self._place}).fetchone()[0]
        return found if isinstance(found, float) else None  # a text sorts after every number, and is not a time

    def overdue(self) -> list[ScheduledJob | UnreadableJob]:
        """Return the queued jobs whose deadline has passed."""
        sql = f"{_JOBS} WHERE state = 'queued' AND deadline IS NOT NULL AND jobs.place = ? AND deadline <= ?"
        return self._jobs(self._connection.execute(sql, (self._place, self.now)).fetchall())

    def follow_clock(self, booted_at: float, step: float) -> None:
        """Move delays and deadlines with the clock if it was set since they were written; calendar times stay.

        Parameters
        ----------
        booted_at : float
            When the machine booted, by the current clock.
        step : float
            Smallest difference that counts, in seconds.
        """
        self._connection.execute(
            f"""UPDATE jobs SET booted_at = :booted_at,
                not_before = iif(state = 'queued' AND NOT ready AND NOT timed, not_before + :booted_at - booted_at, not_before),
                deadline = iif(deadline_timed, deadline, deadline + :booted_at - booted_at)
            WHERE {_OF_ANOTHER_CLOCK}""",
            {"place": self._place, "booted_at": booted_at, "step": step},
        )

    def has_other_clock(self, booted_at: float, step: float) -> bool:
        """Return whether `follow_clock` would move anything."""
        sql = f"SELECT EXISTS (SELECT 1 FROM jobs WHERE {_OF_ANOTHER_CLOCK})"
        return bool(self._connection.execute(sql, {"place": self._place, "booted_at": booted_at, "step": step}).fetchone()[0])

    def adopt_clock(self, booted_at: float) -> None:
        """Limit delays and deadlines written during another boot to their original length from now on."""
        self._connection.execute(
            """UPDATE jobs SET booted_at = :booted_at,
                not_before = iif(timed, not_before, min(not_before, :now + max(0.0, not_before - coalesce(
                    (SELECT max(ended_at) FROM attempts WHERE job_id = jobs.id), submitted_at)))),
                deadline = iif(deadline_timed, deadline, min(deadline, :now + deadline - submitted_at))
            WHERE place = :place AND booted_at IS NULL AND state IN ('queued', 'running')""",
            {"place": self._place, "booted_at": booted_at, "now": self.now},
        )

    def requests(self) -> list[Request | UnreadableRequest]:
        """Return the users' requests to this supervisor, oldest first."""
        rows = self._connection.execute("SELECT * FROM requests WHERE place = ? ORDER BY id", (self._place,)).fetchall()
        return self._read(requests.of_row, rows)

    # -- jobs that may start --------------------------------------------------------------------------------------

    def queues(self) -> list[str]:
        """Return the queues that have a ready job and are not paused, found by jumping through the index."""
        ready = "SELECT min(queue) FROM jobs WHERE state = 'queued' AND ready = 1 AND place = :place"
        sql = f"""WITH RECURSIVE waiting (queue) AS (
                {ready} UNION ALL SELECT ({ready} AND queue > waiting.queue) FROM waiting WHERE waiting.queue IS NOT NULL
            ) SELECT queue FROM waiting WHERE queue IS NOT NULL AND queue NOT IN (SELECT queue FROM paused)"""
        return [row[0] for row in self._connection.execute(sql, {"place": self._place}).fetchall()]

    def occupied(self) -> dict[str, list[int | None]]:
        """Return the occupied slots by queue; None stands for a slot whose number is unknown."""
        sql = """SELECT jobs.queue, attempts.slot FROM attempts JOIN jobs ON jobs.id = attempts.job_id
            WHERE attempts.outcome IS NULL AND attempts.place = ? AND attempts.number > 0"""
        found: dict[str, list[int | None]] = {}
        for row in self._connection.execute(sql, (self._place,)).fetchall():
            found.setdefault(row["queue"], []).append(row["slot"])
        return found

    def due(self, queue: str, skip: Sequence[int] = ()) -> ScheduledJob | UnreadableJob | None:
        """Return the job of a queue that may start now: highest priority first, then oldest, skipping the contexts in `skip`."""
        sql = f"""{_JOBS} WHERE state = 'queued' AND ready = 1 AND jobs.place = ? AND queue = ?
                AND context NOT IN (SELECT value FROM json_each(?))
            ORDER BY priority DESC, jobs.id LIMIT"""
        values = (self._place, queue, json.dumps(list(skip)))
        rows = self._connection.execute(f"{sql} 1", values).fetchall()
        try:
            return next(iter(self._jobs(rows)), None)
        except Unparsed as unparsed:
            unparsed.rows += self._connection.execute(f"{sql} {_AHEAD}", values).fetchall()[1:]
            raise

    def hooks(self, limit: int) -> list[ScheduledJob | UnreadableJob]:
        """Return finished jobs whose hook is pending and not being called already."""
        called = "SELECT count(*) FROM attempts WHERE outcome IS NULL AND place = ? AND number = 0"
        sql = f"""{_JOBS} WHERE hook IS NOT NULL AND jobs.place = ?
            AND NOT EXISTS (SELECT 1 FROM attempts WHERE job_id = jobs.id AND number = 0 AND outcome IS NULL)
            ORDER BY jobs.id LIMIT max(0, ? - ({called}))"""
        return self._jobs(self._connection.execute(sql, (self._place, limit, self._place)).fetchall())

    # -- dependencies ---------------------------------------------------------------------------------------------

    def release_after(self, job_id: int, *, succeeded: bool) -> list[int]:
        """Release the jobs that depend on a finished job.

        Returns
        -------
        list of int
            Queued jobs that needed its success, and now can't run.
        """
        rows = self._connection.execute("SELECT job_id, anyway FROM dependencies WHERE on_id = ?", (job_id,)).fetchall()
        for row in rows:
            if succeeded or row["anyway"]:
                self._unblock(row["job_id"])
        return [row["job_id"] for row in rows if not succeeded and not row["anyway"]]

    def _unblock(self, job_id: int) -> None:
        self._connection.execute(
            """UPDATE jobs SET blockers = blockers - 1, ready = (blockers = 1 AND not_before <= :now)
            WHERE id = :id AND state = 'queued' AND blockers > 0""",
            {"id": job_id, "now": self.now},
        )

    def job(self, job_id: int) -> ScheduledJob | UnreadableJob | None:
        """Return one job, in the form of `due`."""
        return next(iter(self.jobs([job_id])), None)

    def jobs(self, job_ids: Sequence[int]) -> list[ScheduledJob | UnreadableJob]:
        """Return those of the jobs that exist, by id."""
        if not job_ids:
            return []
        try:
            return self._jobs(self._rows(job_ids))
        except Unparsed as unparsed:  # if they fail, the jobs that depend on them are needed next
            unparsed.rows += self._rows(self._after(job_ids))
            raise

    def environment(self, environment: int) -> Environment | None:
        """Return environment variables; None if there are none."""
        row = self._connection.execute("SELECT body FROM environments WHERE id = ?", (environment,)).fetchone()
        return None if row is None else Environment(str(row[0]))

    def _jobs(self, rows: list[sqlite3.Row]) -> list[ScheduledJob | UnreadableJob]:
        return self._read(scheduled_job.of_row, rows)

    def _rows(self, job_ids: Sequence[int]) -> list[sqlite3.Row]:
        sql = f"{_JOBS} WHERE jobs.id IN (SELECT value FROM json_each(?)) ORDER BY jobs.id"
        return self._connection.execute(sql, (json.dumps(list(job_ids)),)).fetchall()

    def _after(self, job_ids: Sequence[int]) -> list[int]:
        """Return the jobs that directly or indirectly need the success of the given ones."""
        sql = """WITH RECURSIVE later (id) AS (
                SELECT value FROM json_each(?)
                UNION SELECT job_id FROM later JOIN dependencies ON on_id = later.id WHERE NOT anyway
            ) SELECT id FROM later"""
        return [row[0] for row in self._connection.execute(sql, (json.dumps(list(job_ids)),)).fetchall()]

    def claimed(self, job_id: int, number: int) -> Claim | None:
        """Return one attempt with its job."""
        columns = """, attempts.number, attempts.folder, attempts.ending, attempts.ending_grace, attempts.launches, attempts.slot,
            attempts.adopted, attempts.started_at AS attempt_started_at FROM jobs JOIN attempts ON attempts.job_id = jobs.id"""
        sql = f"{_JOBS.replace('FROM jobs', columns, 1)} WHERE attempts.job_id = ? AND attempts.number = ?"
        row: sqlite3.Row | None = self._connection.execute(sql, (job_id, number)).fetchone()
        claims: list[Claim] = self._read(scheduled_job.claim_of_row, [] if row is None else [row])
        return claims[0] if claims else None


def live_attempts(connection: sqlite3.Connection, place: str) -> list[tuple[int, int]]:
    """Return the attempts of a place without an outcome, by job and number, for a new supervisor."""
    sql = "SELECT job_id, number FROM attempts WHERE outcome IS NULL AND place = ?"
    rows = connection.execute(sql, (place,)).fetchall()
    return [(row[0], row[1]) for row in rows if isinstance(row[0], int) and isinstance(row[1], int)]


def newest_context(connection: sqlite3.Connection, place: str) -> Context | None:
    """Return the context of the newest job in a place; None if none of the newest jobs belongs to it."""
    sql = """SELECT body FROM (SELECT id, place, context FROM jobs ORDER BY id DESC LIMIT 1000) AS newest
        JOIN contexts ON contexts.id = newest.context WHERE place = ? ORDER BY newest.id DESC LIMIT 1"""
    row = connection.execute(sql, (place,)).fetchone()
    return None if row is None else scheduled_job.context(row[0])
