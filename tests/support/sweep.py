"""What tests of many jobs ask."""

import os
import sqlite3

from .jobs import functions
from .place import Place


def rows(place: Place, sql: str) -> list:
    """What the store holds, read past all code of ours."""
    connection = sqlite3.connect(place.state / "jobs.db")
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def folders(place: Place) -> list[str]:
    jobs = place.state / "jobs"
    return sorted(os.listdir(jobs)) if jobs.exists() else []


def one_sentence(error) -> str:
    """What a refusal says: one line that ends as a sentence does."""
    text = str(error.value)
    assert "\n" not in text
    assert text[-1] in ".?…"
    return text


def pretty(value) -> str:
    from IPython.lib.pretty import pretty as show

    return show(value)


SWEEP = functions("sweep")
