"""Read what a panel shows of one store: the newest jobs as rows, and later their changes; it only reads, and keeps nothing."""

import os
from typing import Any

from ..client.jobs import supervision
from ..state.folder import StateFolder
from ..store import changes as log_of_changes
from ..store import queries
from ..store.database import Database
from ..system import place
from .rows import row

#: Largest number of jobs in a panel; older ones can be listed by `%bgjobs list` with a filter.
MOST = 20_000

#: Number of rows in one message: few enough for a server that drops messages when they arrive too fast.
CHUNK = 1000

_NO_LIMIT = 1 << 62


def first(database: Database, limit: int) -> dict[str, Any]:
    """Return the newest rows and those of running jobs, with everything that a panel needs to show them."""
    since = log_of_changes.newest_change(database)
    rows = _rows(log_of_changes.newest(database, _NO_LIMIT, limit))
    oldest = rows[-1][0] if rows else 0
    running = [each.job_id for each in log_of_changes.running(database) if each.job_id < oldest]
    count = log_of_changes.count(database)
    return {
        "seq": since,
        "rows": rows + _rows(log_of_changes.jobs(database, running)),
        "oldest": oldest,
        "have": len(rows),
        "whole": len(rows) >= min(count, MOST),
        "count": count,
        **queue_status(database),
    }


def older(database: Database, before: int, limit: int) -> list[list[Any]]:
    """Return rows of older jobs, newest first."""
    return _rows(log_of_changes.newest(database, before, limit))


def changes(database: Database, since: int) -> dict[str, Any] | None:
    """Return what changed since a given change; None if that is too long ago, or if there is too much."""
    until = log_of_changes.newest_change(database)
    ids = log_of_changes.changed(database, since)
    if ids is None:
        return None
    rows = _rows(log_of_changes.jobs(database, ids)) if ids else []
    there = {each[0] for each in rows}
    return {"base": since, "seq": until, "rows": rows, "gone": [each for each in ids if each not in there]}


def one(database: Database, job_id: int) -> list[list[Any]]:
    """Return the row of one job; none if it is gone."""
    return _rows(log_of_changes.jobs(database, [job_id]))


def queue_status(database: Database) -> dict[str, Any]:
    """Return the data that concerns all jobs: paused queues, and what keeps this place's jobs from starting."""
    here = place.here()
    held = (
        supervision.notices(database, StateFolder(os.path.dirname(database.path))) if queries.has_work(database, here) else None
    )
    return {"paused": queries.paused(database), "notice": "; ".join(held.lines()) or None if held else None}


def _rows(jobs: list[log_of_changes.JobWithMemory]) -> list[list[Any]]:
    here = place.here()
    return [row(each, here) for each in jobs]
