"""What a panel shows of one store: the newest jobs as rows, and later what changed of them; it reads and keeps nothing."""

from collections.abc import Iterator
from typing import Any

from ..folder import StateFolder
from ..process import identity
from ..store import records, watching
from ..store.database import Database
from .rows import row

#: Jobs that a panel holds; older ones are for `%bgjobs list` with a filter.
MOST = 20_000

#: Rows in one message: small enough for a server that drops what comes too fast.
CHUNK = 1000


def first(folder: StateFolder, database: Database, limit: int) -> dict[str, Any]:
    """Return the newest rows with all that a panel needs to show them."""
    since = watching.moment(database)
    rows = _rows(watching.newest(database, 1 << 62, limit))
    return {"seq": since, "rows": rows, "count": watching.count(database), "folder": folder.path, **surroundings(database)}


def older(database: Database, before: int, have: int) -> Iterator[list[list[Any]]]:
    """Yield rows of older jobs, newest first, in pieces, until a panel has all that it holds."""
    while have < MOST:
        rows = _rows(watching.newest(database, before, min(CHUNK, MOST - have)))
        if not rows:
            return
        yield rows
        before, have = rows[-1][0], have + len(rows)


def changes(database: Database, since: int) -> dict[str, Any] | None:
    """Return what changed since a moment; None where that is too long ago, or too much."""
    until = watching.moment(database)
    ids = watching.changed(database, since)
    if ids is None:
        return None
    rows = _rows(watching.jobs(database, ids)) if ids else []
    there = {each[0] for each in rows}
    return {"base": since, "seq": until, "rows": rows, "gone": [each for each in ids if each not in there]}


def one(database: Database, job_id: int) -> list[list[Any]]:
    """Return the row of one job; none if it is gone."""
    return _rows(watching.jobs(database, [job_id]))


def surroundings(database: Database) -> dict[str, Any]:
    """Return what concerns all jobs: paused queues, and what keeps this host's jobs from starting."""
    host = identity.host()
    notices = [each["notice"] for each in records.supervisors(database) if each["host"] == host]
    held = notices[0] if notices and records.has_work(database, host) else None
    return {"paused": records.paused(database), "notice": held}


def _rows(seen: list[watching.Seen]) -> list[list[Any]]:
    host = identity.host()
    return [row(each, host) for each in seen]
