"""Each option of a submit ends in the columns of a job's row that the table of options names."""

import contextlib
import sqlite3

import pytest

import ipybgjobs as bg
from ipybgjobs.client.submit.option_table import NAMES, OPTIONS

#: A value of each option that changes all its columns, with what else it needs.
EXAMPLES = {
    "name": {"name": "nightly"},
    "queue": {"queue": "gpu"},
    "priority": {"priority": 5},
    "delay": {"delay": "10m"},
    "at": {"at": "2099-01-01 12:00"},
    "after": {"after": 1},
    "after_any": {"after_any": [1]},
    "timeout": {"timeout": "2h"},
    "retry": {"retry": 7},
    "retry_until": {"retry_until": "2099-01-01 12:00"},
    "unique": {"unique": "report"},
    "on_duplicate": {"unique": True, "on_duplicate": "existing"},
    "reuse": {"reuse": True},
}

#: What differs between any two rows.
OF_EACH_ROW = {"id", "uid", "submitted_at", "booted_at"}


@pytest.fixture
def paused(place):
    """A place whose queues are paused, so that rows stay as they were inserted."""
    place.allow({"work": ["echo"]}, BackgroundJobs__queues={"default": 1, "gpu": 1})
    bg.pause()
    yield place
    bg.jobs(limit=100).cancel()


def _row(place, job):
    """The row of a job; times count from its submit."""
    with contextlib.closing(sqlite3.connect(place.state / "jobs.db")) as connection:
        connection.row_factory = sqlite3.Row
        row = dict(connection.execute("SELECT * FROM jobs WHERE id = ?", (job.id,)).fetchone())
    row["not_before"] -= row["submitted_at"]
    return {column: value for column, value in row.items() if column not in OF_EACH_ROW}


def test_each_option_ends_in_the_columns_that_the_table_names(paused):
    assert set(EXAMPLES) == set(NAMES)
    plain = _row(paused, bg.submit("work.echo", {"value": 1}))
    changed = {}
    for name, given in EXAMPLES.items():
        row = _row(paused, bg.submit("work.echo", {"value": 1}, **given))
        changed[name] = {column for column in row if row[column] != plain[column]}
    changed["on_duplicate"] -= {"unique_key"}  # which it needs
    assert changed == {option.name: set(option.columns) for option in OPTIONS}
