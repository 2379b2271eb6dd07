"""Who supervises which place, or did: what each supervisor has said of itself, as a frozen value."""

import sqlite3
from dataclasses import dataclass

from . import columns
from .columns import UnreadableRow
from .database import Database
from .notices import Notices


@dataclass(frozen=True, slots=True)
class SupervisorRecord:
    """A place's supervisor, as it was last heard of; times are seconds since the epoch, UTC."""

    place: str
    host: str
    pid: int
    version: str
    heard_at: float
    notices: Notices  #: what keeps jobs from starting


def heard(database: Database) -> list[SupervisorRecord]:
    """Read who supervises, the one last heard of first; what no supervisor of ours wrote is left out."""
    rows = database.read("SELECT * FROM supervisors ORDER BY heard_at DESC")
    return [record for row in rows if (record := _record(row)) is not None]


def heard_of(database: Database, place: str) -> SupervisorRecord | None:
    """Read who supervises a place; None where nobody ever has."""
    return next((record for record in heard(database) if record.place == place), None)


def _record(row: sqlite3.Row) -> SupervisorRecord | None:
    try:
        record = SupervisorRecord(
            place=columns.label(row, "place"),
            host=columns.label(row, "host"),
            pid=columns.whole(row, "pid"),
            version=columns.label(row, "version"),
            heard_at=columns.moment(row, "heard_at"),
            notices=Notices.from_text(columns.any_text(row, "notice") or None),
        )
    except UnreadableRow:
        return None
    return record if record.place and record.host and record.version else None
