"""The newest of everything, as text or static HTML: jobs that stand alone, and each group as one line that opens."""

import time

from . import cards, options
from .client import client
from .jobgroup import SHOWN
from .models import GroupRecord, JobRecord
from .store import listing, records
from .store.database import Database


def text(limit: int, submit: str) -> str:
    """The newest jobs and groups, a line each; `submit`: how one is submitted, said where there is none."""
    database = _database()
    now = time.time()
    lines = [entry.line(now) if isinstance(entry, JobRecord) else entry.line() for entry in _entries(database, limit)]
    lines += [f"the queue {queue} is paused" for queue in records.paused(database)]
    return "\n".join(lines) or f"No jobs yet. Submit one with: {submit} Class.method key=value"


def html(limit: int) -> str:
    """The newest jobs and groups, as a table."""
    database = _database()
    now = time.time()
    rows = [
        cards.row(entry, now)
        if isinstance(entry, JobRecord)
        else cards.group_row(entry, listing.jobs(database, SHOWN, group_id=entry.id), now)
        for entry in _entries(database, limit)
    ]
    notes = [f"The queue {queue} is paused." for queue in records.paused(database)]
    return cards.table_of(rows, notes)


def _database() -> Database:
    return client().database(client().folder())


def _entries(database: Database, limit: int) -> list[JobRecord | GroupRecord]:
    """Jobs that stand alone, and groups, newest first."""
    count = options.count(limit, "limit")
    entries: list[JobRecord | GroupRecord] = [*listing.alone(database, count), *listing.groups(database, count)]
    return sorted(entries, key=lambda entry: entry.submitted_at, reverse=True)[:limit]
