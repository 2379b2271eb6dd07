"""Ends that a supervisor has recorded and not told: it died between its commit and the line in the log.

These are ends of its last transaction: what it had decided before, it had told. The store is the record, the log a convenience,
so nothing is written into the store for the sake of the log.
"""

import re
from collections.abc import Iterator, Sequence

from ..model.records import Attempt, JobRecord, Outcome
from ..store import queries
from ..store.database import Database
from ..system import private_file
from .job_logs import Message

#: A line that tells an end, by job and attempt; that of a start names both, too.
_TOLD = re.compile(r"\bjob (\d+) attempt (\d+) of \d+ (?!.* started$)")

#: Lines, and bytes, at the end of the log in which those of the last transaction are looked for.
_LINES, _BYTES = 10_000, 4 << 20


def find(database: Database, ends: Sequence[Attempt], log: str) -> Iterator[Message]:
    """Find what is to be told.

    Parameters
    ----------
    database : Database
        The store.
    ends : sequence of Attempt
        What `queries.last_ends` returned before another transaction was made.
    log : str
        Path of the log of everything.

    Yields
    ------
    Message
        What the log does not tell.
    """
    told = _told(log) if ends else set()
    for end in ends:
        if (end.job_id, end.number) not in told:
            yield _message(queries.shown_job(database, end.job_id), end)


def _told(log: str) -> set[tuple[int, int]]:
    lines = [line for path in (f"{log}.1", log) for line in private_file.tail(path, _LINES, _BYTES).splitlines()]
    return {(int(found[1]), int(found[2])) for found in map(_TOLD.search, lines) if found}


def _message(job: JobRecord, end: Attempt) -> Message:
    head = f"job {job.id} attempt {end.number} of {job.allowed_attempts} {job.call}"
    if end.outcome is Outcome.SUCCEEDED:
        return Message(f"{head} succeeded" + (f", but {end.error}" if end.error else ""))
    if end.outcome is Outcome.CANCELLED:
        return Message(f"{head} was cancelled")
    return Message(f"{head} failed ({end.outcome}): {end.error}", end.traceback, failure=True)
