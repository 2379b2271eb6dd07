"""Ends that a supervisor has recorded and not told: it died between its commit and the line in the log.

These are ends of its last transaction: what it had decided before, it had told. The store is the record, the log a convenience,
so nothing is written into the store for the sake of the log.
"""

import re
import sqlite3
from collections.abc import Iterator, Sequence

from ..model.records import JobRecord, Outcome
from ..store import queries
from ..store.database import Database
from ..system import private_file
from .job_logs import Message

#: A line that tells an end, by job and attempt; that of a start names both, too.
_TOLD = re.compile(r"\bjob (\d+) attempt (\d+) of \d+ (?!.* started$)")

#: Lines, and bytes, at the end of the log in which those of the last transaction are looked for.
_LINES, _BYTES = 10_000, 4 << 20

#: Ends of a place's last transaction, which gives all of them the same time; jobs that wait for a retry have no end of their own.
_LAST = """WITH ends AS (
        SELECT attempts.* FROM attempts JOIN jobs ON jobs.id = attempts.job_id AND attempts.number = jobs.attempt
        WHERE jobs.id IN (
            SELECT id FROM jobs WHERE ended_at = (
                SELECT ended_at FROM jobs WHERE ended_at IS NOT NULL AND place = :place ORDER BY ended_at DESC LIMIT 1)
            UNION SELECT id FROM jobs WHERE state = 'queued' AND place = :place)
        AND attempts.place = :place AND attempts.number > 0 AND attempts.folder IS NOT NULL)
    SELECT * FROM ends WHERE ended_at = (SELECT max(ended_at) FROM ends)"""


def last_ends(database: Database, place: str) -> list[sqlite3.Row]:
    """Return the ends of the last transaction of a place's supervisor, which may have died since; before another is made."""
    return database.read(_LAST, {"place": place})


def find(database: Database, ends: Sequence[sqlite3.Row], log: str) -> Iterator[Message]:
    """Find what is to be told.

    Parameters
    ----------
    database : Database
        The store.
    ends : sequence of sqlite3.Row
        What `last_ends` has returned.
    log : str
        Path of the log of everything.

    Yields
    ------
    Message
        What the log does not tell.
    """
    told = _told(log) if ends else set()
    for end in ends:
        if (end["job_id"], end["number"]) not in told:
            yield _message(
                queries.shown_job(database, end["job_id"]), end["number"], end["outcome"], end["error"], end["traceback"]
            )


def _told(log: str) -> set[tuple[int, int]]:
    lines = [line for path in (f"{log}.1", log) for line in private_file.tail(path, _LINES, _BYTES).splitlines()]
    return {(int(found[1]), int(found[2])) for found in map(_TOLD.search, lines) if found}


def _message(job: JobRecord, number: int, outcome: str, error: str | None, traceback: str | None) -> Message:
    head = f"job {job.id} attempt {number} of {job.allowed_attempts} {job.call}"
    if outcome == Outcome.SUCCEEDED:
        return Message(f"{head} succeeded" + (f", but {error}" if error else ""))
    if outcome == Outcome.CANCELLED:
        return Message(f"{head} was cancelled")
    return Message(f"{head} failed ({outcome}): {error}", traceback, failure=True)
