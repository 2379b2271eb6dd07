"""The values that jobs have recorded and returned, as panels show them; it only reads."""

import os
from collections.abc import Iterable
from typing import Any

from ..model import scalars
from ..model.scalars import Scalar
from ..state import attempt, recorded_values, results
from ..state.folder import StateFolder
from ..store import changes, selection
from ..store.changes import RunningAttempt
from ..store.database import Database


def of_jobs(database: Database, folder: StateFolder, ids: Iterable[int]) -> list[list[Any]]:
    """Return the id and the values of each of these jobs that has any."""
    folders = selection.last_folders(database, ids)
    found = ([job_id, of_attempt(folder.attempt(relative))] for job_id, relative in folders.items())
    return [each for each in found if each[1]]


def of_attempt(folder: str) -> dict[str, Scalar]:
    """Return the recorded values of an attempt, and the plain ones in the dict that it returned, as ``result.NAME``."""
    recorded = recorded_values.of_attempt(folder)
    returned = scalars.read(results.without_pickle(folder))
    more = {f"result.{name}": value for name, value in returned.items() if name not in recorded}
    return scalars.for_json({**recorded, **more})


def of_running(database: Database, folder: StateFolder) -> list[list[Any]]:
    """Return the same for the running jobs."""
    return RunningValues(folder).news(changes.running(database))


class RunningValues:
    """Which of the running jobs have recorded something since the last look.

    Parameters
    ----------
    folder : StateFolder
        The state folder.
    """

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder
        self._written: dict[str, int] = {}  # by attempt folder: when its file was written

    def news(self, running: Iterable[RunningAttempt]) -> list[list[Any]]:
        """Return the id and the values of each job with news."""
        found, written = [], {}
        for each in running:
            path = self._folder.attempt(each.folder)
            at = _written_at(f"{path}/{attempt.VALUES}")
            if at is None:
                continue
            written[each.folder] = at
            if self._written.get(each.folder) != at:
                found.append([each.job_id, scalars.for_json(recorded_values.of_attempt(path))])
        self._written = written
        return found


def _written_at(path: str) -> int | None:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None
