"""Reading what can be read of a damaged store, row by row; it reads a copy that nobody else has open, and repairs no file."""

import contextlib
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..model import json_text
from ..model.records import JobState
from .database import Database

#: Tables whose rows have a number, and those that are read by the jobs they belong to: with that column, or as a whole.
_NUMBERED = ("contexts", "environments", "origins", "groups", "jobs", "requests")
_OF_JOBS = {"attempts": "job_id", "dependencies": "job_id", "paused": None, "places": None}

#: Numbers that are tried beyond the last one that can be read, where nothing says which was the last.
_BEYOND = 10_000

_JSON = ("init", "params", "pickled", "positional", "secrets", "hidden", "rules", "hooks")

#: A row, by column.
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What could be read.

    Parameters
    ----------
    rows : dict of str to list of dict
        By table.
    unreadable : int
        Jobs that were there, or may have been, and can't be read.
    last : dict of str to int
        The last number that was given, by table; none is given again.
    """

    rows: dict[str, list[Row]] = field(default_factory=dict)
    unreadable: int = 0
    last: dict[str, int] = field(default_factory=dict)

    def uids(self) -> set[str]:
        """Whose rows could be read, of jobs and of groups."""
        return {row["uid"] for table in ("jobs", "groups") for row in self.rows.get(table, ())}


def damage(database: Database) -> str | None:
    """Say in a few words what is damaged in a store that can be opened; None if it is sound."""
    found = str(database.read("PRAGMA integrity_check(1)")[0][0])
    return None if found == "ok" else found


def read(path: str) -> Salvaged:
    """Read what can be read.

    Parameters
    ----------
    path : str
        A copy of the database, with its write-ahead log beside it.
    """
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        connection.text_factory = lambda raw: raw.decode("utf-8", "backslashreplace")
        with contextlib.suppress(sqlite3.Error):
            connection.execute("PRAGMA writable_schema = ON")  # one bad entry of the schema keeps no table from being read
        rows, broken, last = dict[str, list[Row]](), 0, _last_numbers(connection)
        for table in _NUMBERED:
            rows[table], unreadable = _Table(connection, table).numbered(last.get(table))
            broken = unreadable if table == "jobs" else broken
        sound = [row for row in rows["jobs"] if _is_sound(row)]
        broken, rows["jobs"] = broken + len(rows["jobs"]) - len(sound), sound
        known = {row["id"] for row in sound}
        for table, column in _OF_JOBS.items():
            rows[table] = _Table(connection, table).of_jobs(column, sorted(known))
        for table in ("attempts", "dependencies", "requests"):  # their job may come back from its folder, with all its attempts
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
        """Rows up to the first that can't be read, and whether there was none such."""
        found: list[Row] = []
        try:
            for row in self._connection.execute(f"SELECT * FROM {self._name} {rest}", values):
                found.append(dict(row))  # noqa: PERF401 - what came before the error is kept
        except sqlite3.Error:
            return found, False
        return found, True

    def numbered(self, last: int | None) -> tuple[list[Row], int]:
        """All rows that can be read, from both ends and then one by one, and how many numbers can't."""
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
        """All rows that can be read; those of each job alone where not all can."""
        found, whole = self._take("")
        if whole or column is None:
            return found
        return [row for job_id in job_ids for row in self._take(f"WHERE {column} = ?", job_id)[0]]


def _is_sound(row: Row) -> bool:
    """Whether a job's row can be one that a client wrote: what is read from a damaged page may be anything."""
    try:
        JobState(row["state"])
        for name in _JSON:
            json_text.parse(row.get(name, "[]"))
    except (ValueError, TypeError, KeyError):
        return False
    return all(isinstance(row[name], str) for name in ("uid", "target", "queue")) and isinstance(row["id"], int)
