"""Read what a panel shows of one store: the newest jobs as rows, and later their changes; it only reads, and keeps nothing."""

import os
from typing import Any

from ..client.jobs import supervision
from ..client.jobs.job_status import FullQueues
from ..state.folder import StateFolder
from ..store import changes as log_of_changes
from ..store import listing, queries, usual_times, waiting_jobs
from ..store.database import Database
from ..system import place
from .rows import row

#: Largest number of jobs in a panel; older ones can be listed by `%bgjobs list` with a filter.
MOST = 20_000

#: Number of rows in one message: few enough for a server that drops messages when they arrive too fast.
CHUNK = 1000

#: Most jobs that hold the slots of a queue and are named.
_HOLDERS = 5

_NO_LIMIT = 1 << 62


def first(database: Database, limit: int, full: FullQueues) -> dict[str, Any]:
    """Return the newest rows and those of running jobs, with everything that a panel needs to show them."""
    since = log_of_changes.newest_change(database)
    rows = _rows(database, log_of_changes.newest(database, _NO_LIMIT, limit))
    oldest = rows[-1][0] if rows else 0
    running = [each.job_id for each in log_of_changes.running(database) if each.job_id < oldest]
    count = log_of_changes.count(database)
    return {
        "seq": since,
        "rows": rows + _rows(database, log_of_changes.jobs(database, running)),
        "oldest": oldest,
        "have": len(rows),
        "whole": len(rows) >= min(count, MOST),
        "count": count,
        "counts": listing.states(database) if limit and len(rows) < min(count, MOST) else None,  # while rows are missing
        **queue_status(database, full),
    }


def older(database: Database, before: int, limit: int) -> list[list[Any]]:
    """Return rows of older jobs, newest first."""
    return _rows(database, log_of_changes.newest(database, before, limit))


def changes(database: Database, since: int) -> dict[str, Any] | None:
    """Return what changed since a given change; None if that is too long ago, or if there is too much."""
    until = log_of_changes.newest_change(database)
    ids = log_of_changes.changed(database, since)
    if ids is None:
        return None
    rows = _rows(database, log_of_changes.jobs(database, ids)) if ids else []
    there = {each[0] for each in rows}
    return {"base": since, "seq": until, "rows": rows, "gone": [each for each in ids if each not in there]}


def of_jobs(database: Database, job_ids: list[int]) -> list[list[Any]]:
    """Return the rows of several jobs; those that are gone are missing."""
    return _rows(database, log_of_changes.jobs(database, job_ids))


def queue_status(database: Database, full: FullQueues) -> dict[str, Any]:
    """Return the data that concerns all jobs: paused queues, full ones, and what keeps this place's jobs from starting.

    A full queue has the number of jobs that hold its slots, and the first of them.
    """
    here = place.here()
    held = (
        supervision.notices(database, StateFolder(os.path.dirname(database.path))) if queries.has_work(database, here) else None
    )
    return {
        "paused": queries.paused(database),
        "full": {queue: [len(ids), *ids[:_HOLDERS]] for queue, ids in full.holders().items()},
        "notice": "; ".join(held.lines()) or None if held else None,
    }


def _rows(database: Database, jobs: list[log_of_changes.JobWithAttempt]) -> list[list[Any]]:
    """Return the rows of jobs; what only unfinished jobs have is read for all of them together."""
    here = place.here()
    usual = usual_times.of_jobs(database, (each.job for each in jobs))
    waiting = [each.job.id for each in jobs if each.job.pending_dependencies]
    after = waiting_jobs.pending_dependencies(database, waiting) if waiting else {}
    return [row(each, here, after.get(each.job.id, ()), usual.get(each.job.id)) for each in jobs]
