"""The values that jobs have recorded and returned, as panels show them; it only reads."""

import os
from collections.abc import Iterable
from typing import Any

from ..model import redaction, scalars
from ..model.call import Call
from ..model.scalars import Scalar
from ..state import attempt, recorded_values, results
from ..state.folder import StateFolder
from ..store import changes, selection
from ..store.changes import RunningAttempt
from ..store.database import Database


def of_jobs(database: Database, folder: StateFolder, ids: Iterable[int]) -> list[list[Any]]:
    """Return the id and the values of each of these jobs that has any, with secrets blanked in texts."""
    folders = selection.last_folders(database, ids)
    found = {job_id: values for job_id, relative in folders.items() if (values := _of_attempt(folder.attempt(relative)))}
    with_text = [job_id for job_id, values in found.items() if any(isinstance(value, str) for value in values.values())]
    calls = selection.calls(database, with_text) if with_text else {}
    return [[job_id, _shown(values, calls.get(job_id))] for job_id, values in found.items()]


#: What precedes the keys of a dict that a job returned.
_RETURNED = "result."


def _of_attempt(folder: str) -> dict[str, Scalar]:
    """Return the recorded values of an attempt, and the plain ones in the dict that it returned, as ``result.NAME``."""
    recorded = recorded_values.of_attempt(folder)
    returned = scalars.read(results.without_pickle(folder))
    more = {f"{_RETURNED}{name}": value for name, value in returned.items() if name not in recorded}
    return scalars.for_json({**recorded, **more})


def _shown(values: dict[str, Scalar], call: Call | None) -> dict[str, Scalar]:
    """Return values without the secrets of a call: what a job returned is kept as it is, but not shown so."""
    if call is None:
        return values
    secret = redaction.secret_names((name.removeprefix(_RETURNED) for name in values), call.secrets)
    return redaction.shown_scalars(values, [*secret, *(f"{_RETURNED}{name}" for name in secret)], call.hidden)


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
