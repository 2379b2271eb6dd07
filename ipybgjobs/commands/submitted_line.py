"""One line below a cell about the jobs that it has submitted without showing their cards, as in ``job = %bgjob …`` or a loop."""

from collections.abc import Sequence
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from ..client.jobs.job import Job
from ..errors import BackgroundJobError
from ..model.redaction import cut

#: Longest text of a call, in characters, and most ids that are listed one by one.
_LONGEST, _MOST = 120, 5


class SubmittedLine:
    """The jobs that the cell that runs has submitted by a line magic.

    Parameters
    ----------
    shell : InteractiveShell
        The shell that runs the cells.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        remove(shell)  # the extension may have been loaded again
        self._jobs: list[Job] = []
        shell.events.register("post_run_cell", self._say)

    def add(self, job: Job) -> None:
        """Mention a job at the end of the cell, unless its card is shown by then."""
        self._jobs.append(job)

    def _say(self, *_: Any) -> None:
        jobs, self._jobs = [job for job in self._jobs if job.uid not in _shown], []
        _shown.clear()
        if jobs:
            print(line(jobs))  # noqa: T201 - what it is for


_shown: set[str] = set()


def note_shown(job: Job) -> None:
    """Record that a job's card is shown, or that the user does not want to see it."""
    _shown.add(job.uid)


def line(jobs: Sequence[Job]) -> str:
    """Return the line about some jobs."""
    ids = sorted(job.id for job in jobs)
    if len(ids) == 1:
        return f"job {ids[0]} submitted{_call(jobs[0])}"
    if ids[-1] - ids[0] == len(ids) - 1:
        return f"{len(ids):,} jobs submitted: {ids[0]} to {ids[-1]}"
    more = ", …" if len(ids) > _MOST else ""
    return f"{len(ids):,} jobs submitted: {', '.join(map(str, ids[:_MOST]))}{more}"


def _call(job: Job) -> str:
    try:
        return f": {cut(str(job.record().call), _LONGEST)}"
    except BackgroundJobError:  # it was removed in the same cell
        return ""


def remove(shell: InteractiveShell) -> None:
    """Stop watching the cells of a shell."""
    for callback in list(shell.events.callbacks["post_run_cell"]):
        if type(getattr(callback, "__self__", None)).__name__ == SubmittedLine.__name__:  # of this or an earlier import
            shell.events.unregister("post_run_cell", callback)
