"""Several jobs as a list that is displayed as a table, and that waits for, cancels and retries all of them."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self, SupportsIndex, overload

from ...errors import BackgroundJobError
from ...model.records import JobRecord, JobState
from ...system import shield
from ..submit import options
from . import dataframe, html, waiting
from .job import Job

if TYPE_CHECKING:
    import pandas as pd


class JobList(list[Job]):
    """Jobs, in the order in which they were requested."""

    def _records(self) -> list[JobRecord]:
        return [job._record() for job in self]  # noqa: SLF001 - its own package

    def wait(self, timeout: float | str | None = None) -> Self:
        """Wait until all have ended.

        Raises
        ------
        TimeoutError
            If `timeout`, seconds or a duration such as ``"5m"``, runs out; the jobs keep running.
        InvalidParameters
            If `timeout` is not a duration.
        """
        seconds = options.patience(timeout)
        limit = None if seconds is None else time.monotonic() + seconds
        for job in self:
            job.wait(None if limit is None else max(0.0, limit - time.monotonic()))
        return self

    @shield.told
    def cancel(self, grace: float | str | None = None) -> "JobList":
        """Cancel the unfinished jobs, all at once, and return them when they have ended.

        Parameters
        ----------
        grace : float or str, optional
            Time allowed for each step; by default `kill_grace_seconds`.

        Raises
        ------
        InvalidParameters
            If `grace` is not a duration.
        InvalidRequest
            If a job is elsewhere, where no supervisor would notice.
        """
        seconds = options.grace_seconds(grace)
        live = JobList(job for job in self if not job.state.ended)
        if live:
            live[0]._request_cancel(live, seconds)  # noqa: SLF001 - its own package
        return live.wait()

    @shield.told
    def retry(self) -> "JobList":
        """Add one attempt to the failed and cancelled jobs, and return them.

        Jobs whose unique key is taken, or that depend on a job that still fails, are skipped.
        """
        chosen = [job for job in self if job.state in (JobState.FAILED, JobState.CANCELLED)]
        return JobList(chosen[0]._retry(chosen) if chosen else [])  # noqa: SLF001 - likewise

    def to_frame(self, *, results: bool = False) -> "pd.DataFrame":
        """Return a pandas data frame: parameters, state, duration and so on, a row for each job.

        Parameters
        ----------
        results : bool
            Whether to also load what the jobs returned.

        Raises
        ------
        InvalidRequest
            If pandas is not installed.
        """
        jobs = {job.id: job for job in self}
        return dataframe.frame(self._records(), (lambda record: result_or_none(jobs[record.id])) if results else None)

    @overload
    def __getitem__(self, index: SupportsIndex) -> Job: ...
    @overload
    def __getitem__(self, index: slice) -> "JobList": ...
    def __getitem__(self, index: SupportsIndex | slice) -> "Job | JobList":
        found = super().__getitem__(index)
        return JobList(found) if isinstance(found, list) else found

    def _repr_html_(self) -> str:
        return html.table(self._records(), time.time())

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # noqa: FBT001 - IPython's signature
        now = time.time()
        printer.text("\n".join(record.line(now) for record in self._records()) or "no jobs")


def result_or_none(job: Job) -> Any:
    """Return what a job returned; None if it has not succeeded, or its return value was not saved."""
    if job.state is not JobState.SUCCEEDED:
        return None
    try:
        return job._result()  # noqa: SLF001 - likewise
    except BackgroundJobError:
        return None


def as_completed(jobs: "list[Job]", timeout: float | str | None = None) -> Iterator[Job]:
    """Yield jobs as they end; as `ipybgjobs.as_completed`.

    Raises
    ------
    TimeoutError
        If `timeout` runs out; the jobs keep running.
    InvalidParameters
        If `timeout` is not a duration.
    """
    left = dict.fromkeys(jobs)
    seconds = options.patience(timeout)
    limit = None if seconds is None else time.monotonic() + seconds
    while left:
        first = next(iter(left))
        ended: list[Job] = []

        def some_ended() -> bool:
            ended[:] = first._ended_of(list(left))  # noqa: SLF001, B023 - likewise; called in this iteration only
            return bool(ended)  # noqa: B023 - likewise

        rest = None if limit is None else max(0.0, limit - time.monotonic())
        late = f"{len(left)} jobs did not finish within {seconds or 0:g} s; they keep running."
        ids = [job.id for job in left]
        with first._noted_wait(lambda ids=ids: ids, seconds) as waits:  # type: ignore[misc] # noqa: SLF001 - likewise

            def look() -> None:
                first._see_to_supervisor()  # noqa: SLF001, B023 - likewise
                waits()

            waiting.wait(some_ended, rest, lambda text=late: text, look)  # type: ignore[misc]
        for job in ended:
            del left[job]
            yield job
