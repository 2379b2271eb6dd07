"""Find ends that a supervisor recorded but did not log, because it died between its commit and the log line.

They belong to its last transaction: earlier ends were logged. The store is the record and the log a convenience, so nothing
is written to the store for the sake of the log.
"""

import re
import sqlite3
from collections.abc import Iterator, Sequence

from ..model.records import JobRecord, Outcome
from ..store import queries
from ..store.database import Database
from ..system import private_file
from .job_logs import Message

#: A log line of an end, with job and attempt; the line of a start names both too.
_TOLD = re.compile(r"\bjob (\d+) attempt (\d+) of \d+ (?!.* started$)")

#: Number of lines and bytes at the end of the log that are searched for the last transaction.
_LINES, _BYTES = 10_000, 4 << 20

#: Ends of a place's last transaction, which all have the same time; jobs that wait for a retry have no end of their own.
_LAST = """WITH ends AS (
        SELECT attempts.* FROM attempts JOIN jobs ON jobs.id = attempts.job_id AND attempts.number = jobs.attempt
        WHERE jobs.id IN (
            SELECT id FROM jobs WHERE ended_at = (
                SELECT ended_at FROM jobs WHERE ended_at IS NOT NULL AND place = :place ORDER BY ended_at DESC LIMIT 1)
            UNION SELECT id FROM jobs WHERE state = 'queued' AND place = :place)
        AND attempts.place = :place AND attempts.number > 0 AND attempts.folder IS NOT NULL)
    SELECT * FROM ends WHERE ended_at = (SELECT max(ended_at) FROM ends)"""


def last_ends(database: Database, place: str) -> list[sqlite3.Row]:
    """Return the ends of the last transaction of a place's supervisor, which may have died; call it before the next one."""
    return database.read(_LAST, {"place": place})


def find(database: Database, ends: Sequence[sqlite3.Row], log: str) -> Iterator[Message]:
    """Find the lines that are missing from the log.

    Parameters
    ----------
    database : Database
        The store.
    ends : sequence of sqlite3.Row
        The value that `last_ends` returned.
    log : str
        Path of the full log.

    Yields
    ------
    Message
        A line that is missing from the log.
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
