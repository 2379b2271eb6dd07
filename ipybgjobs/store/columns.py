"""Checked access to a row's columns: SQLite accepts any value in any column, and any program may have written the file.

Each function returns the value with its type or raises `UnreadableRow`; only the ``any_`` functions return a substitute instead.
"""

import math
import sqlite3
from typing import Any

from ..model import json_text, redaction
from ..model.records import JobState

#: The first and the last time that a calendar can show, in seconds since the epoch, with a margin of a day.
_EARLIEST, _LATEST = -62_135_510_400.0, 253_402_387_200.0

#: The states that the column ``state`` holds. A job that waits for a retry is stored as queued, so that whatever starts, cancels
#: or moves queued jobs treats it as one of them.
STORED_STATES = tuple(state for state in JobState if state is not JobState.RETRYING)

#: The condition of a job that the retry policy queued: since it was submitted or retried by hand, an attempt has begun.
RETRYING = "(jobs.state = 'queued' AND jobs.started_at IS NOT NULL)"

#: The state of a job as users see it.
STATE = f"iif({RETRYING}, '{JobState.RETRYING}', jobs.state)"


class UnreadableRow(ValueError):  # noqa: N818 - named after the state of a row
    """A row that was not written by ipybgjobs, or is damaged; names the column."""

    def __init__(self, column: str) -> None:
        super().__init__(f"its column {column} holds a value that ipybgjobs never writes")
        self.column = column


def text(row: sqlite3.Row, name: str) -> str:
    """Return a text."""
    value = row[name]
    if type(value) is not str:
        raise UnreadableRow(name)
    return value


def text_or_none(row: sqlite3.Row, name: str) -> str | None:
    """Return a text, or None."""
    value = row[name]
    if value is not None and type(value) is not str:
        raise UnreadableRow(name)
    return value


def whole(row: sqlite3.Row, name: str) -> int:
    """Return an integer."""
    value = row[name]
    if type(value) is not int:
        raise UnreadableRow(name)
    return value


def whole_or_none(row: sqlite3.Row, name: str) -> int | None:
    """Return an integer, or None."""
    value = row[name]
    if value is not None and type(value) is not int:
        raise UnreadableRow(name)
    return value


def number(row: sqlite3.Row, name: str) -> float:
    """Return a finite number."""
    value = row[name]
    if type(value) not in (int, float) or not math.isfinite(value):
        raise UnreadableRow(name)
    return float(value)


def number_or_none(row: sqlite3.Row, name: str) -> float | None:
    """Return a finite number, or None."""
    value = row[name]
    if value is None:
        return None
    if type(value) not in (int, float) or not math.isfinite(value):
        raise UnreadableRow(name)
    return float(value)


def moment(row: sqlite3.Row, name: str) -> float:
    """Return a time that a calendar can show, in seconds since the epoch."""
    value = number(row, name)
    if not _EARLIEST <= value <= _LATEST:
        raise UnreadableRow(name)
    return value


def moment_or_none(row: sqlite3.Row, name: str) -> float | None:
    """Return a time that a calendar can show, or None."""
    return None if row[name] is None else moment(row, name)


def uid(row: sqlite3.Row) -> str:
    """Return the uid of a job or group, which becomes the name of a folder."""
    value = text(row, "uid")
    if not value.isalnum():
        raise UnreadableRow("uid")
    return value


def label(row: sqlite3.Row, name: str) -> str:
    """Return a text that is shown unchanged on one line: a target, a place, a host."""
    value = text(row, name)
    if not value.isprintable():
        raise UnreadableRow(name)
    return value


def folder_or_none(row: sqlite3.Row) -> str | None:
    """Return the folder of an attempt, relative to the state folder, or None."""
    value = text_or_none(row, "folder")
    if value is not None and ("\0" in value or value.startswith("/") or ".." in value.split("/")):
        raise UnreadableRow("folder")
    return value


def state(row: sqlite3.Row) -> JobState:
    """Return the state of a job; see `RETRYING`."""
    stored = row["state"]
    if stored not in STORED_STATES:
        raise UnreadableRow("state")
    return JobState.RETRYING if stored == JobState.QUEUED and row["started_at"] is not None else JobState(stored)


def any_state(value: object) -> JobState:
    """Return a state; if it is invalid, "failed", a state in which nothing happens to the job."""
    return next((each for each in JobState if each == value), JobState.FAILED)


def any_uid(row: sqlite3.Row) -> str:
    """Return a uid; if it is invalid, a text that can't name a folder."""
    value = any_text(row, "uid")
    return value if value.isalnum() else "-"


def any_label(row: sqlite3.Row, name: str) -> str:
    """Return a text to show on one line; if it is invalid, an empty one."""
    return redaction.one_line(any_text(row, name))


def any_moment(row: sqlite3.Row, name: str) -> float:
    """Return a time; if it is invalid, the epoch."""
    try:
        return moment(row, name)
    except UnreadableRow:
        return 0.0


def any_text(row: sqlite3.Row, name: str) -> str:
    """Return a text; if it is invalid, an empty one."""
    value = row[name]
    return value if isinstance(value, str) else ""


def any_whole(row: sqlite3.Row, name: str, largest: int = (1 << 63) - 1) -> int:
    """Return an integer from 0 to `largest`; if it is invalid, 0."""
    value = row[name]
    return value if isinstance(value, int) and 0 <= value <= largest else 0


def mapping(row: sqlite3.Row, name: str) -> dict[str, Any]:
    """Return a JSON object as a dict."""
    value = _parsed(row, name)
    if not isinstance(value, dict):
        raise UnreadableRow(name)
    return value


def texts_by_name(row: sqlite3.Row, name: str) -> dict[str, str]:
    """Return a JSON object whose values are texts as a dict."""
    value = mapping(row, name)
    if not all(isinstance(each, str) for each in value.values()):
        raise UnreadableRow(name)
    return value


def texts(row: sqlite3.Row, name: str) -> tuple[str, ...]:
    """Return the texts of a JSON list."""
    value = _parsed(row, name)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise UnreadableRow(name)
    return tuple(value)


def _parsed(row: sqlite3.Row, name: str) -> Any:
    """Parse JSON, with a shortcut for empty values, which are the most common."""
    written = text(row, name)
    if written == "{}":
        return {}
    try:
        return [] if written == "[]" else json_text.parse(written)
    except ValueError:
        raise UnreadableRow(name) from None
