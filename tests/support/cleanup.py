"""What tests of removal and reuse do with a store past all code of ours."""

import os
import sqlite3

import ipybgjobs as bg

from .jobs import functions
from .place import ALLOWED, Place, until

CALC = functions("calc")


def permit(place: Place, **settings) -> None:
    """Allow everything, in two queues; with other settings of `BackgroundJobs`."""
    settings = {"queues": {"default": 2, "gpu": 1}, "idle_seconds": 0.1} | settings
    place.allow(
        ALLOWED | {"calc": CALC, "calc.Model": ["fit"]}, **{f"BackgroundJobs__{name}": value for name, value in settings.items()}
    )


def store(place: Place, sql: str, values=()) -> list:
    """Look at the store, or change it, past all code of ours."""
    connection = sqlite3.connect(place.state / "jobs.db", timeout=30)
    try:
        found = connection.execute(sql, values).fetchall()
        connection.commit()
    finally:
        connection.close()
    return found


def age(place: Place, job: bg.Job, seconds: float) -> None:
    """Let a job have ended so much longer ago."""
    store(place, "UPDATE jobs SET ended_at = ended_at - ? WHERE id = ?", (seconds, job.id))


def folders(place: Place) -> list[str]:
    return sorted(os.listdir(place.state / "jobs"))


def idle(place: Place) -> None:
    """Wait until the supervisor has ended, so that the next one starts with what the files say now."""
    until(lambda: place.supervisor_pid() is None and not place.processes(), "the supervisor's end")


def everything(place: Place) -> list:
    """All that a verb might change."""
    attempts = "SELECT job_id, number, folder, outcome, ending, error FROM attempts ORDER BY 1"  # their origin comes after
    tables = ("jobs", "groups", "requests", "paused")
    return [store(place, attempts), *(store(place, f"SELECT * FROM {table} ORDER BY 1") for table in tables)]


def one_sentence(text: str) -> str:
    assert "\n" not in text
    assert text[-1] in ".)?"
    return text


DAY = 86_400.0
