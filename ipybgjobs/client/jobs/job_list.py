"""`JobList`: several jobs, displayed as a table, with the verbs of a job for all of them; and waiting for them as they finish.

It never sends one request for each job: jobs of one state folder are read and changed together.
"""

import contextlib
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, Self, SupportsIndex, overload

from ...errors import BackgroundJobError
from ...model import moments
from ...model.records import JobState
from ...state import recorded_values
from ...system import interrupt_shield
from ..submit import options, times
from . import batch, controls, dataframe, html, outcome, waiting
from .batch import DescribedJob
from .controls import Cancel, Control, Keep, ManualRetry, Remove, SetPriority
from .dataframe import FrameRow
from .job import Job
from .retry_notes import RetryNotes

if TYPE_CHECKING:
    import pandas as pd

#: Most skipped jobs whose reasons are displayed.
_SHOWN = 3


class JobList(list[Job]):
    """Jobs, in the order in which they were requested; of one state folder or of several.

    A verb changes all the jobs that it applies to in one request, and returns them; `skipped` of the returned list explains why
    each of the others was not changed. With ``strict=True`` it raises the first of these reasons, before anything is changed.

    Parameters
    ----------
    jobs : iterable of Job, optional
        The jobs.
    skipped : mapping, optional
        The jobs skipped by the verb that returned this list, each with the error that `Job` would have raised.
    total : callable, optional
        Returns how many jobs there are without the limit of the search that found these; called when the list is displayed.
    """

    _total: Callable[[], int] | None = None

    def __init__(
        self,
        jobs: Iterable[Job] = (),
        skipped: Mapping[Job, BackgroundJobError] | None = None,
        total: Callable[[], int] | None = None,
    ) -> None:
        super().__init__(jobs)
        self.skipped = dict(skipped or {})
        self._total = total

    def __getstate__(self) -> dict[str, Any]:
        return {"skipped": self.skipped}  # a copy is not the result of a search

    # -- their outcomes -----------------------------------------------------------------------------------------------

    def wait(self, timeout: float | str | None = None) -> Self:
        """Wait until all have finished; if some wait for a retry, a line says so.

        Raises
        ------
        TimeoutError
            If `timeout`, seconds or a duration such as ``"5m"``, expires; the jobs keep running.
        InvalidParameters
            If `timeout` is not a duration.
        """
        for _ in as_completed(self, timeout):
            pass
        return self

    def results(self, timeout: float | str | None = None, *, return_exceptions: bool = False) -> list[Any]:
        """Wait, and return what the jobs returned, in their order.

        Parameters
        ----------
        timeout : float or str, optional
            Seconds, or a duration such as ``"5m"``; None: no limit.
        return_exceptions : bool
            False: raise the exception of the first job that failed. True: return exceptions in place of results.

        Raises
        ------
        TimeoutError, InvalidParameters
            If `timeout` expires (the jobs keep running), or is not a duration.
        """
        self.wait(timeout)
        return [outcome.result_or_exception(job) if return_exceptions else outcome.result(job) for job in self]

    def exceptions(self, timeout: float | str | None = None) -> list[BaseException | None]:
        """Wait, and return what the jobs raised, in their order; None for each that succeeded.

        Raises
        ------
        TimeoutError, InvalidParameters
            If `timeout` expires (the jobs keep running), or is not a duration.
        """
        self.wait(timeout)
        return [outcome.exception(job) for job in self]

    # -- changes --------------------------------------------------------------------------------------------------

    def _apply(self, control: Control, *, strict: bool) -> "JobList":
        changed = controls.apply(control, self, strict=strict)
        return JobList(changed.done, changed.refused)

    @interrupt_shield.explains_interrupts
    def cancel(self, grace: float | str | None = None, *, strict: bool = False) -> "JobList":
        """Cancel the unfinished jobs, and return them when they have finished.

        Parameters
        ----------
        grace : float or str, optional
            Time allowed for each step, as for `Job.cancel`; by default `kill_grace_seconds`.
        strict : bool
            Whether to raise if one can't be cancelled, before any is.

        Raises
        ------
        InvalidParameters
            If `grace` is not a duration.
        """
        return self._apply(Cancel(times.grace_seconds(grace)), strict=strict).wait()

    @interrupt_shield.explains_interrupts
    def retry(self, *, strict: bool = False) -> "JobList":
        """Add one attempt to the failed and cancelled jobs, start the retrying ones now, and return them.

        Jobs whose unique key is taken, or that depend on another job that still fails, are skipped; `strict`: raise instead.
        """
        return self._apply(ManualRetry(), strict=strict)

    @overload
    def remove(self, job: Job, /) -> None: ...
    @overload
    def remove(self, *, strict: bool = False) -> "JobList": ...
    def remove(self, job: Job | None = None, *, strict: bool = False) -> "JobList | None":
        """Permanently remove the finished jobs and all their files, and return them; `strict`: raise if one can't be removed.

        ``jobs.remove(job)``, as for any list, only takes that job out of this list.
        """
        return self._removed(strict=strict) if job is None else super().remove(job)

    @interrupt_shield.explains_interrupts
    def _removed(self, *, strict: bool) -> "JobList":
        return self._apply(Remove(), strict=strict)

    @interrupt_shield.explains_interrupts
    def keep(self, kept: bool = True, *, strict: bool = False) -> "JobList":  # noqa: FBT001, FBT002 - as `Job.keep`
        """Exempt the jobs from `clean` and from the configured retention; ``jobs.keep(False)`` ends the exemption."""
        return self._apply(Keep(kept), strict=strict)

    @interrupt_shield.explains_interrupts
    def set_priority(self, priority: int, *, strict: bool = False) -> "JobList":
        """Change the priority of the queued jobs, and return them: higher runs first; `strict`: raise if one is not queued.

        Raises
        ------
        InvalidParameters
            If it is not an integer.
        """
        return self._apply(SetPriority(options.priority(priority)), strict=strict)

    # -- how they look --------------------------------------------------------------------------------------------

    def to_frame(self, *, results: bool | Literal["load"] = True) -> "pd.DataFrame":
        """Return a pandas data frame with a row for each job.

        Each parameter is a column: of the method, of the constructor, and of a notebook that the job runs. Recorded values are
        ``values.NAME``, the keys of a dict that the job returned ``result.KEY``, and any other result is ``result``. A parameter
        that has the name of another column is ``params.NAME``; a parameter of the constructor that the method has too,
        ``init.NAME``.

        Parameters
        ----------
        results : bool or str
            Whether there are columns for results. True: nothing is unpickled, so that no module is imported, and a result that
            is not plain is described; of a dict, the numbers (also numpy's), texts and booleans are kept. ``"load"``: everything
            is loaded, as `Job.result` does.

        Raises
        ------
        InvalidRequest
            If pandas is not installed.
        """
        beyond, total = self.beyond_limit()
        if beyond:
            warnings.warn(
                f"to_frame() has {len(self):,} of {total:,} jobs: bg.jobs(limit={total}).to_frame() has all", stacklevel=2
            )
        found, folders = batch.records(self), batch.last_folders(self)
        read = outcome.result_or_none if results == "load" else outcome.result_without_pickle

        def row(job: Job) -> FrameRow:
            record, folder = found.get(job) or job.record(), folders.get(job)  # which raises for one that was removed
            if folder is None:
                return FrameRow(record)
            value = read(job, folder) if results and record.state is JobState.SUCCEEDED else None
            return FrameRow(record, recorded_values.of_attempt(folder), value)

        return dataframe.frame([row(job) for job in self], results=bool(results))

    @overload
    def __getitem__(self, index: SupportsIndex) -> Job: ...
    @overload
    def __getitem__(self, index: slice) -> "JobList": ...
    def __getitem__(self, index: SupportsIndex | slice) -> "Job | JobList":
        found = super().__getitem__(index)
        return JobList(found) if isinstance(found, list) else found

    def _shown(self) -> tuple[list[DescribedJob], list[str]]:
        """Return the jobs to show, and the notes to show below them."""
        found = batch.described(self)
        removed = [f"job {job.id} was removed" for job in self if job not in found]
        notes = _first([*removed, *map(str, self.skipped.values())])
        beyond, total = self.beyond_limit()
        return [found[job] for job in self if job in found], _limited(beyond, f"bg.jobs(limit={total})") + notes

    def reasons(self) -> list[str]:
        """Return why jobs were skipped by the verb that returned this list: the first reasons, and how many more there are."""
        return _first([*map(str, self.skipped.values())])

    def beyond_limit(self) -> tuple[int, int]:
        """Return how many jobs the search that found these has left out because of its limit, and how many there are in total."""
        total = len(self) if self._total is None else max(len(self), self._total())
        return total - len(self), total

    def _repr_html_(self) -> str:
        now, (found, notes) = time.time(), self._shown()
        if not found:
            return "".join(map(html.note, notes or ["no jobs"]))
        made = html.table_of([html.row(each.record, each.status, now) for each in found], notes)
        return made if all(each.record.state.ended for each in found) else f"{made}<div>As of {moments.show(now)}.</div>"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # noqa: FBT001 - IPython's signature
        now, (found, notes) = time.time(), self._shown()
        printer.text("\n".join([*(each.line(now) for each in found), *notes]) or "no jobs")


def _first(reasons: list[str]) -> list[str]:
    more = len(reasons) - _SHOWN
    return reasons[:_SHOWN] + ([f"… and {more:,} more"] if more > 0 else [])


def _limited(beyond: int, how: str) -> list[str]:
    """Return the note that a list was cut by its limit."""
    return [f"… and {beyond:,} more: {how} returns all"] if beyond else []


def as_completed(jobs: Iterable[Job], timeout: float | str | None = None) -> Iterator[Job]:
    """Yield jobs as they finish; see `ipybgjobs.as_completed`.

    Raises
    ------
    TimeoutError
        If `timeout` expires; the jobs keep running.
    InvalidParameters
        If `timeout` is not a duration.
    """
    left = dict.fromkeys(jobs)
    seconds = times.wait_timeout(timeout)
    limit = None if seconds is None else time.monotonic() + seconds
    notes = RetryNotes(lambda: batch.retrying(left))
    while left:
        for job in _next_ended(list(left), seconds, limit, notes):
            del left[job]
            yield job


def _next_ended(jobs: list[Job], seconds: float | None, limit: float | None, notes: RetryNotes) -> list[Job]:
    """Wait until some jobs have finished, and return these."""
    parts = batch.batches(jobs)
    ended: list[Job] = []

    def some_ended() -> bool:
        found = {job for part in parts for job in part.ended()}
        ended[:] = [job for job in jobs if job in found]
        return bool(ended)

    def late() -> str:
        if len(jobs) == 1:
            return f"job {jobs[0].id} did not finish within {seconds or 0:g} s; it is still {jobs[0].status}."
        return f"{len(jobs):,} jobs did not finish within {seconds or 0:g} s: {_counted(jobs)}."

    remaining = None if limit is None else max(0.0, limit - time.monotonic())
    with contextlib.ExitStack() as noted:
        beats = [noted.enter_context(part.recorded_wait(seconds)) for part in parts]

        def look() -> None:
            for part, beat in zip(parts, beats, strict=True):
                part.ensure_supervisor()
                beat()
            notes.look()

        waiting.wait(some_ended, remaining, late, look)
    return ended


def _counted(jobs: list[Job]) -> str:
    """Return how many jobs are in each state, and when the next retry is."""
    states = Counter(record.state for record in batch.records(jobs).values())
    retrying = batch.retrying(jobs)
    said = {state: f"{states[state]:,} {state}" for state in JobState if states[state]}
    if retrying is not None and JobState.RETRYING in said:
        said[JobState.RETRYING] += f", {retrying.line()}"
    return ", ".join(said.values())
