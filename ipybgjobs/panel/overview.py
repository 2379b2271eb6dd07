"""The newest jobs, as text or static HTML: single jobs, and each group as one line that unfolds."""

import itertools
import time
from collections.abc import Mapping, Sequence

from ..client.client import client
from ..client.jobs import html as job_html
from ..client.jobs import job_status, supervision
from ..client.jobs.job_status import JobStatus
from ..client.submit import options
from ..model import moments, sizes
from ..model.records import GroupRecord, JobRecord
from ..model.redaction import one_line
from ..state import disk_usage
from ..state.folder import StateFolder
from ..store import listing, queries
from ..store.database import Database
from ..system import place

#: Most rows of the table that a notebook shows, including those of jobs that are folded away; and of these, those of one group.
_SHOWN, _MEMBERS = 50, 5


def bundle() -> dict[str, str]:
    """Return the newest entries, for a notebook and for a terminal."""
    return {"text/html": html(_SHOWN), "text/plain": text(_SHOWN, "%bgjob")}


def text(limit: int, submit: str) -> str:
    """Return the newest jobs and groups, a line each; `submit`: the command that submits one, shown if there are none."""
    folder = client().folder()
    database, now = client().database(folder), time.time()
    entries = _entries(database, limit)
    statuses = _statuses(folder, entries)
    lines = [_line(entry, statuses, folder, now) for entry in entries]
    more, total = _more(database, len(entries))
    lines += [f"… and {more:,} more; --limit {total} shows all"] if more else []
    lines += _paused(database)
    lines += [f"held: {said}" for said in _held(database, folder)]
    return "\n".join(lines) or f"No jobs yet. Submit one with: {submit} Class.method key=value"


def _held(database: Database, folder: StateFolder) -> list[str]:
    """Return what keeps this place's jobs from continuing, if it has any, and make sure that a supervisor runs."""
    client().ensure_supervisor(folder)
    return supervision.notices(database, folder).lines() if queries.has_work(database, place.here()) else []


def _statuses(folder: StateFolder, entries: Sequence[JobRecord | GroupRecord]) -> dict[int, JobStatus]:
    """Return the states of the single jobs in words."""
    return job_status.of_jobs(client(), folder, [entry for entry in entries if isinstance(entry, JobRecord)])


def _paused(database: Database) -> list[str]:
    """Say which queues are paused, in one sentence; nothing if none is."""
    names = [one_line(queue) for queue in queries.paused(database)]
    if len(names) < 2:  # noqa: PLR2004 - one or several
        return [f"the queue {name} is paused" for name in names]
    return [f"the queues {', '.join(names[:-1])} and {names[-1]} are paused"]


def _more(database: Database, shown: int) -> tuple[int, int]:
    """Return how many jobs outside groups and groups are not shown, and how many there are."""
    total = listing.count_entries(database)
    return max(0, total - shown), total


def _line(entry: JobRecord | GroupRecord, statuses: Mapping[int, JobStatus], folder: StateFolder, now: float) -> str:
    if isinstance(entry, GroupRecord):
        return entry.line()
    taken, status = disk_usage.of_folder(folder.job(entry.uid)), statuses[entry.id]
    return entry.line(now, status.text, status.usual) + (f" · {sizes.show(taken)} on disk" if taken else "")


def html(limit: int) -> str:
    """Return the newest jobs and groups, as a table."""
    folder = client().folder()
    database, now = client().database(folder), time.time()
    entries = _bounded(_entries(database, limit), limit)
    members = {
        entry.id: listing.jobs(database, _MEMBERS, group_id=entry.id) for entry in entries if isinstance(entry, GroupRecord)
    }
    statuses = _statuses(folder, [*entries, *itertools.chain.from_iterable(members.values())])
    rows = [
        job_html.group_row(entry, members[entry.id], statuses, now)
        if isinstance(entry, GroupRecord)
        else job_html.row(entry, statuses[entry.id], now, disk_usage.of_folder(folder.job(entry.uid)))
        for entry in entries
    ]
    more, total = _more(database, len(entries))
    notes = [f"… and {more:,} more: %bgjobs list --limit {total}"] if more else []
    notes += [f"{said[0].upper()}{said[1:]}." for said in _paused(database)]
    notes += [f"Held: {said}." for said in _held(database, folder)]
    return job_html.table_of(rows, notes) + job_html.note(f"As of {moments.show(now)}.")


def _bounded(entries: Sequence[JobRecord | GroupRecord], limit: int) -> list[JobRecord | GroupRecord]:
    """Return the newest entries that have `limit` rows, with the rows of the groups' jobs; at least one."""
    heights = (1 + (min(_MEMBERS, entry.total) if isinstance(entry, GroupRecord) else 0) for entry in entries)
    rows = list(itertools.accumulate(heights))
    return [entry for entry, until in zip(entries, rows, strict=True) if until <= max(limit, rows[0])]


def _entries(database: Database, limit: int) -> list[JobRecord | GroupRecord]:
    """Return single jobs and groups, newest first."""
    count = options.count(limit, "limit")
    entries: list[JobRecord | GroupRecord] = [*listing.alone(database, count), *listing.groups(database, count)]
    return sorted(entries, key=lambda entry: entry.submitted_at, reverse=True)[:limit]
