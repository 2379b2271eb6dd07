"""Reading a damaged store row by row, as far as possible; it reads a private copy, and repairs no file."""

import contextlib
import sqlite3
from collections.abc import Iterable
from typing import Any

from msgspec import Struct, field

from ..model import json_text
from .columns import STORED_STATES
from .database import Database

#: Tables whose rows have a number, and those read by job: with the column of the job, or None to read the whole table.
_NUMBERED = ("contexts", "environments", "origins", "groups", "jobs", "requests")
_OF_JOBS = {"attempts": "job_id", "dependencies": "job_id", "paused": None, "places": None}

#: Numbers to try beyond the last readable one, if the last number is not recorded.
_BEYOND = 10_000

_JSON = ("init", "params", "pickled", "positional", "secrets", "hidden", "rules", "hooks")

#: A row, by column.
Row = dict[str, Any]


class Salvaged(Struct, frozen=True):
    """The data that could be read.

    Parameters
    ----------
    rows : dict of str to list of dict
        By table.
    unreadable : int
        Number of jobs that existed, or may have existed, and can't be read.
    last : dict of str to int
        The last number assigned, by table; numbers are never reused.
    """

    rows: dict[str, list[Row]] = field(default_factory=dict)
    unreadable: int = 0
    last: dict[str, int] = field(default_factory=dict)

    def uids(self) -> set[str]:
        """Return the uids of the jobs and groups whose rows could be read."""
        return {row["uid"] for table in ("jobs", "groups") for row in self.rows.get(table, ())}


def damage(database: Database) -> str | None:
    """Describe briefly what is damaged in a store that can be opened; None if it is sound."""
    found = str(database.read("PRAGMA integrity_check(1)")[0][0])
    return None if found == "ok" else found


def read(path: str) -> Salvaged:
    """Read everything that can be read.

    Parameters
    ----------
    path : str
        A copy of the database, with its write-ahead log beside it.
    """
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        connection.text_factory = lambda raw: raw.decode("utf-8", "backslashreplace")
        with contextlib.suppress(sqlite3.Error):
            connection.execute("PRAGMA writable_schema = ON")  # one bad schema entry must not prevent reading the other tables
        rows, broken, last = dict[str, list[Row]](), 0, _last_numbers(connection)
        for table in _NUMBERED:
            rows[table], unreadable = _Table(connection, table).numbered(last.get(table))
            broken = unreadable if table == "jobs" else broken
        sound = [row for row in rows["jobs"] if _is_sound(row)]
        broken, rows["jobs"] = broken + len(rows["jobs"]) - len(sound), sound
        known = {row["id"] for row in sound}
        for table, column in _OF_JOBS.items():
            rows[table] = _Table(connection, table).of_jobs(column, sorted(known))
        for table in ("attempts", "dependencies", "requests"):  # their job may be restored from its folder with all attempts
            rows[table] = [row for row in rows[table] if row["job_id"] in known]
    return Salvaged(rows, broken, last)


def _last_numbers(connection: sqlite3.Connection) -> dict[str, int]:
    try:
        return {str(name): int(number) for name, number in connection.execute("SELECT name, seq FROM sqlite_sequence")}
    except (sqlite3.Error, ValueError, TypeError):
        return {}


class _Table:
    """One table of a damaged store."""

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self._connection = connection
        self._name = name

    def _take(self, rest: str, *values: Any) -> tuple[list[Row], bool]:
        """Return the rows before the first unreadable one, and whether all were readable."""
        found: list[Row] = []
        try:
            for row in self._connection.execute(f"SELECT * FROM {self._name} {rest}", values):
                found.append(dict(row))  # noqa: PERF401 - rows before an error are kept
        except sqlite3.Error:
            return found, False
        return found, True

    def numbered(self, last: int | None) -> tuple[list[Row], int]:
        """Return all readable rows, read from both ends and then one by one, and the number of unreadable ones."""
        found, whole = self._take("NOT INDEXED ORDER BY id")
        if whole:
            return found, 0
        low = found[-1]["id"] if found else 0
        later, _ = self._take("NOT INDEXED WHERE id > ? ORDER BY id DESC", low)
        end = later[-1]["id"] if later else (low + _BEYOND if last is None else last) + 1
        single = [self._take("NOT INDEXED WHERE id = ?", number) for number in range(low + 1, end)]
        between = [row for rows, _ in single for row in rows]
        return [*found, *between, *later[::-1]], sum(not whole for _, whole in single)

    def of_jobs(self, column: str | None, job_ids: Iterable[int]) -> list[Row]:
        """Return all readable rows; job by job if the table can't be read as a whole."""
        found, whole = self._take("")
        if whole or column is None:
            return found
        return [row for job_id in job_ids for row in self._take(f"WHERE {column} = ?", job_id)[0]]


def _is_sound(row: Row) -> bool:
    """Return whether a client could have written a job's row: a damaged page can contain anything."""
    try:
        if row["state"] not in STORED_STATES:
            return False
        for name in _JSON:
            json_text.parse(row.get(name, "[]"))
    except (ValueError, TypeError, KeyError):
        return False
    return all(isinstance(row[name], str) for name in ("uid", "target", "queue")) and isinstance(row["id"], int)
