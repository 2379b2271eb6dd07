"""One line below a cell about the jobs that it has submitted without showing their cards, as in ``job = %bgjob …`` or a loop."""

import ast
import time
import uuid
from collections.abc import Sequence
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import publish_display_data

from ..client.jobs.job import Job
from ..errors import BackgroundJobError
from ..model.redaction import cut

#: Longest text of a call, in characters, and most ids that are listed one by one.
_LONGEST, _MOST = 120, 5

#: Seconds between two updates of the line while a cell runs.
_PAUSE = 0.2


class SubmittedLine:
    """The jobs that the cell that runs has submitted by a line magic.

    The line is shown at the first one; a frontend then updates it in its place, and a terminal gets the sum at the end.

    Parameters
    ----------
    shell : InteractiveShell
        The shell that runs the cells.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        remove(shell)  # the extension may have been loaded again
        self._has_frontend = getattr(shell, "kernel", None) is not None
        self._jobs: list[Job] = []
        self._said, self._display, self._next = "", "", 0.0
        self._mentioned: set[str] = set()
        self._last: ast.stmt | None = None
        shell.events.register("pre_run_cell", self._begin)
        shell.events.register("post_run_cell", self._end)

    def _begin(self, info: Any) -> None:
        text = getattr(info, "transformed_cell", None) or ""
        self._last = _last_statement(text) if "bgjob" in text else None

    def add(self, job: Job, typed: str) -> None:
        """Mention a job, unless its card is shown at the end of the cell.

        Parameters
        ----------
        job : Job
            The job.
        typed : str
            The line that has submitted it.
        """
        self._jobs.append(job)
        is_now = not self._said or (self._has_frontend and time.monotonic() >= self._next)
        if is_now and self._last is not None and not _may_show(self._last, typed):
            self._say()

    def _say(self) -> None:
        jobs = [job for job in self._jobs if job.uid not in _shown or job.uid in self._mentioned]
        text = line(jobs) if jobs else ""
        if text == self._said:
            return
        self._said, self._next = text, time.monotonic() + _PAUSE
        self._mentioned.update(job.uid for job in jobs)
        if not self._has_frontend:
            print(text, flush=True)  # noqa: T201 - what it is for
            return
        is_update, self._display = bool(self._display), self._display or uuid.uuid4().hex
        publish_display_data({"text/plain": text}, transient={"display_id": self._display}, update=is_update)  # type: ignore[no-untyped-call]

    def _end(self, *_: Any) -> None:
        self._say()
        self._jobs, self._said, self._display, self._next, self._last = [], "", "", 0.0, None
        self._mentioned.clear()
        _shown.clear()


def _last_statement(text: str) -> ast.stmt | None:
    """Return the last statement of a cell, as IPython runs it."""
    try:
        return ast.parse(text).body[-1]
    except (SyntaxError, ValueError, RecursionError, MemoryError, IndexError):
        return None


def _may_show(statement: ast.stmt, typed: str) -> bool:
    """Return whether the last statement of a cell shows the card of a job that a line submits: its own line, or a variable."""
    if not isinstance(statement, ast.Expr):
        return False
    value = statement.value
    if not isinstance(value, ast.Call):
        return isinstance(value, ast.Name | ast.Attribute | ast.Subscript)
    return any(isinstance(each, ast.Constant) and each.value == typed for each in value.args)


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
    for event in ("pre_run_cell", "post_run_cell"):
        for callback in list(shell.events.callbacks[event]):
            if type(getattr(callback, "__self__", None)).__name__ == SubmittedLine.__name__:  # of this or an earlier import
                shell.events.unregister(event, callback)
