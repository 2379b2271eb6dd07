"""Find ends that a supervisor recorded but did not log, because it died between its commit and the log line.

They belong to its last transaction: earlier ends were logged. The store is the record and the log a convenience, so nothing
is written to the store for the sake of the log.
"""

import re
from collections.abc import Iterator, Sequence

from ..model.records import Attempt, JobRecord, Outcome
from ..store import queries
from ..store.database import Database
from ..system import private_file
from .job_logs import Message

#: A log line of an end, with job and attempt; the line of a start names both too.
_LOGGED = re.compile(r"\bjob (\d+) attempt (\d+) of \d+ (?!.* started$)")

#: Number of lines and bytes at the end of the log that are searched for the last transaction.
_LINES, _BYTES = 10_000, 4 << 20


def missing_lines(database: Database, ends: Sequence[Attempt], log: str) -> Iterator[Message]:
    """Find the lines that are missing from the log.

    Parameters
    ----------
    database : Database
        The store.
    ends : sequence of Attempt
        The value that `queries.recent_ends` returned before another transaction was made.
    log : str
        Path of the full log.

    Yields
    ------
    Message
        A line that is missing from the log.
    """
    told = _logged(log) if ends else set()
    for end in ends:
        if (end.job_id, end.number) not in told:
            yield _message(queries.shown_job(database, end.job_id), end)


def _logged(log: str) -> set[tuple[int, int]]:
    lines = [line for path in (f"{log}.1", log) for line in private_file.tail(path, _LINES, _BYTES).splitlines()]
    return {(int(found[1]), int(found[2])) for found in map(_LOGGED.search, lines) if found}


def _message(job: JobRecord, end: Attempt) -> Message:
    head = f"job {job.id} attempt {end.number} of {job.allowed_attempts} {job.call}"
    if end.outcome is Outcome.SUCCEEDED:
        return Message(f"{head} succeeded" + (f", but {end.error}" if end.error else ""))
    if end.outcome is Outcome.CANCELLED:
        return Message(f"{head} was cancelled")
    return Message(f"{head} failed ({end.outcome}): {end.error}", end.traceback, failure=True)
