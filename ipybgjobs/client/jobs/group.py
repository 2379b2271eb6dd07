"""`Group`: jobs that were submitted together, to wait for, cancel, count and read as one; holds no state of its own."""

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, Self

from ...errors import BackgroundJobError, UnknownJob
from ...model.records import GroupRecord, JobRecord, RetryingJobs
from ...state import wake
from ...state.folder import StateFolder
from ...store import listing, selection
from ...system import interrupt_shield, place
from ..submit import times
from . import controls, deadlock, html, job_status, reopening, waiting
from .controls import Cancel
from .job import Job
from .job_client import JobClient
from .job_list import JobList, as_completed
from .retry_notes import RetryNotes

if TYPE_CHECKING:
    import pandas as pd


#: Most jobs that are shown when a group's line is unfolded.
SHOWN = 50


class Group:
    """Jobs that were submitted by one call of `submit_many`.

    Everything is read when it is accessed: `UnknownJob` is raised once all of its jobs have been removed, `StoreError` if its
    state folder can't be used.

    Parameters
    ----------
    client : JobClient
        The client whose store it is in.
    folder : StateFolder
        The state folder.
    id : int
        The group's id in this store.

    Examples
    --------
    >>> group = ipybgjobs.submit_many("training.square", [{"x": 1}, {"x": 2}])
    >>> [job.result() for job in group.wait("1m")]
    [1, 4]
    >>> group.counts
    {'succeeded': 2}
    """

    def __init__(self, client: JobClient, folder: StateFolder, id: int) -> None:  # noqa: A002 - its public name
        self._client = client
        self._folder = folder
        self.id = id

    def record(self) -> GroupRecord:
        """Return what the store says about the group now.

        Raises
        ------
        UnknownJob
            If its last job was removed.
        """
        found = listing.group(self._client.database(self._folder), self.id)
        if found is None:
            raise UnknownJob(f"Group {self.id} is no longer in {self._folder.path}: its last job was removed.")
        if found.live:
            self._client.ensure_supervisor(self._folder)
        return found

    @property
    def uid(self) -> str:
        """The group's identifier, unique across machines."""
        return self.record().uid

    @property
    def name(self) -> str | None:
        """The group's name, if it has one."""
        return self.record().name

    @property
    def counts(self) -> dict[str, int]:
        """Number of jobs in each state; only states that have any."""
        return self.record().counts

    @property
    def jobs(self) -> JobList:
        """The jobs, in the order of the parameters."""
        return self._handles(listing.members(self._client.database(self._folder), self.id))

    def _elsewhere(self) -> JobList:
        """Return the unfinished jobs that belong to another place."""
        return self._handles(selection.live_elsewhere(self._client.database(self._folder), self.id, place.here()))

    def _handles(self, records: list[JobRecord]) -> JobList:
        return JobList(Job(self._client, self._folder, record.id, record.uid) for record in records)

    def wait(self, timeout: float | str | None = None) -> Self:
        """Wait until all jobs have finished; if some wait for a retry, a line says so.

        Parameters
        ----------
        timeout : float or str, optional
            Seconds, or a duration such as ``"5m"``; None: no limit.

        Raises
        ------
        TimeoutError
            If `timeout` expires; the jobs keep running.
        InvalidParameters
            If `timeout` is not a duration.
        """
        seconds = times.wait_timeout(timeout)

        def late() -> str:
            return f"{self.record().line()}; not all of them finished within {seconds:g} s."

        def look() -> None:
            interrupt_shield.run(lambda: wake.ensure_running(self._folder))
            waits()
            notes.look()

        def left() -> list[int]:
            return [
                record.id for record in listing.members(self._client.database(self._folder), self.id) if not record.state.ended
            ]

        notes = RetryNotes(self._retrying, f"group {self.id}: ")
        reader = deadlock.WaitGraphReader(self._folder, lambda: self._client.database(self._folder), self._client.settings)
        with deadlock.recorded_wait(reader, left, seconds) as waits:
            waiting.wait(lambda: not self._live(), seconds, late, look)
        return self

    def _retrying(self) -> RetryingJobs | None:
        return listing.retrying_in_group(self._client.database(self._folder), self.id)

    def _live(self) -> int:
        return listing.live_in_group(self._client.database(self._folder), self.id)

    def as_completed(self, timeout: float | str | None = None) -> Iterator[Job]:
        """Yield the jobs as they finish; see `ipybgjobs.as_completed`.

        Raises
        ------
        TimeoutError
            If `timeout` expires; the jobs keep running.
        InvalidParameters
            If `timeout` is not a duration.
        """
        return as_completed(self.jobs, timeout)

    def results(self, timeout: float | str | None = None, *, return_exceptions: bool = False) -> list[Any]:
        """Wait, and return what the jobs returned, in the order of the parameters.

        Parameters
        ----------
        timeout : float or str, optional
            Seconds, or a duration such as ``"5m"``; None: no limit.
        return_exceptions : bool
            False: raise the exception of the first failed job. True: return exceptions in place of results.

        Raises
        ------
        TimeoutError
            If `timeout` expires; the jobs keep running.
        InvalidParameters
            If `timeout` is not a duration.
        BaseException
            Unless `return_exceptions` is true: what `Job.result` of the first failed job raises.
        """
        self.wait(timeout)
        return self.jobs.results(return_exceptions=return_exceptions)

    def exceptions(self, timeout: float | str | None = None) -> list[BaseException | None]:
        """Wait, and return what the jobs raised, in the order of the parameters; None for each that succeeded.

        Raises
        ------
        TimeoutError, InvalidParameters
            If `timeout` expires (the jobs keep running), or is not a duration.
        """
        self.wait(timeout)
        return self.jobs.exceptions()

    @interrupt_shield.explains_interrupts
    def cancel(self, grace: float | str | None = None) -> Self:
        """Cancel the unfinished jobs, and return once they have finished.

        Raises
        ------
        InvalidParameters
            If `grace` is not a duration.
        InvalidRequest
            If a job is elsewhere and no supervisor would cancel it there; then none is cancelled.
        """
        seconds = times.grace_seconds(grace)
        controls.check(Cancel(seconds), self._elsewhere())
        self._client.cancel_group(self._folder, self.id, seconds)
        return self.wait()

    @interrupt_shield.explains_interrupts
    def retry(self) -> JobList:
        """Add one attempt to the failed and cancelled jobs, start the retrying ones now, and return them."""
        return self.jobs.retry()

    @interrupt_shield.explains_interrupts
    def remove(self) -> int:
        """Remove the finished jobs and all their files; return how many."""
        return len(self.jobs.remove())

    @interrupt_shield.explains_interrupts
    def keep(self, kept: bool = True) -> Self:  # noqa: FBT001, FBT002 - as `Job.keep`
        """Exempt the jobs from `clean` and from the configured retention; ``group.keep(False)`` ends the exemption."""
        self.jobs.keep(kept)
        return self

    @interrupt_shield.explains_interrupts
    def set_priority(self, priority: int) -> JobList:
        """Change the priority of the queued jobs, and return them: higher runs first.

        Raises
        ------
        InvalidParameters
            If it is not an integer.
        """
        return self.jobs.set_priority(priority)

    def to_frame(self, *, results: bool | Literal["load"] = True) -> "pd.DataFrame":
        """Return a pandas data frame with a row for each job: its parameters, state, duration, recorded values and result.

        Parameters
        ----------
        results : bool or str
            Whether there are columns for results, and whether to load pickled ones, as for `JobList.to_frame`.

        Raises
        ------
        InvalidRequest
            If pandas is not installed.
        """
        return self.jobs.to_frame(results=results)

    def __len__(self) -> int:
        return self.record().total

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Job]:
        return iter(self.jobs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Group) and (other.id, other._folder.path) == (self.id, self._folder.path)

    def __hash__(self) -> int:
        return hash((self.id, self._folder.path))

    def __reduce__(self) -> tuple[Any, ...]:
        uid = None
        with contextlib.suppress(BackgroundJobError):  # its jobs were removed, or its store can't be read at the moment
            uid = self.uid
        return reopening.group, (type(self), self._client, self._folder.path, self.id, uid)

    def __repr__(self) -> str:
        try:
            return f"<{self.record().line()}>"
        except UnknownJob:
            return f"<group {self.id}, whose jobs were removed>"

    def to_html(self) -> str:
        """Return the group as static HTML: a line that unfolds."""
        try:
            return self._html()
        except UnknownJob:
            return html.note(f"group {self.id}, whose jobs were removed")

    def _repr_html_(self) -> str:
        return self.to_html()

    def _ipython_display_(self) -> None:
        """Show the group, live if the extension is loaded."""
        from IPython.display import publish_display_data

        publish_display_data({"text/plain": repr(self), "text/html": self.to_html()})

    def _html(self) -> str:
        newest = listing.jobs(self._client.database(self._folder), SHOWN, group_id=self.id)
        statuses = job_status.of_jobs(self._client, self._folder, newest)
        return html.group_card(self.record(), newest, statuses, time.time())
