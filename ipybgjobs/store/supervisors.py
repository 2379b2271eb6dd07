"""Which supervisor each place has or had: what each supervisor last reported, as a frozen value."""

import sqlite3

from msgspec import Struct

from . import columns
from .columns import UnreadableRow
from .database import Database
from .notices import Notices


class SupervisorRecord(Struct, frozen=True):
    """A place's supervisor, as last reported; times are seconds since the epoch, UTC."""

    place: str
    host: str
    pid: int
    version: str
    heard_at: float
    notices: Notices  #: what keeps jobs from starting


def read_all(database: Database) -> list[SupervisorRecord]:
    """Read the supervisors, most recently heard from first; rows that no supervisor wrote are left out."""
    rows = database.read("SELECT * FROM supervisors ORDER BY heard_at DESC")
    return [record for row in rows if (record := _record(row)) is not None]


def read(database: Database, place: str) -> SupervisorRecord | None:
    """Read which supervisor a place has or had last; None if it never had one."""
    return next((record for record in read_all(database) if record.place == place), None)


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
