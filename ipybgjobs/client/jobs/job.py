"""`Job`: a handle on one job. It holds no state of its own; everything is read live, from any process.

It waits, reads results and exceptions, and asks the client for changes. A copy, also in another process, is the same job: a
pickle holds the state folder and the uid.
"""

import asyncio
import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any, Self

from ...errors import DuplicateJob, InvalidRequest, UnknownJob
from ...model import serialization
from ...model.records import JobRecord, JobState
from ...state import occupancy, replay, results, wake
from ...state.folder import StateFolder
from ...store import listing, queries
from ...system import shield
from ..submit import encoding, options
from . import following, notebook_export, reopening, waiting
from .job_client import Desk
from .view import JobView


class Job(JobView):
    """One job; truthy, since it was accepted.

    Parameters
    ----------
    client : Desk
        Whose store it is in.
    folder : StateFolder
        The state folder.
    id : int
        The job's id in this store.
    uid : str
        The same job's name on any machine.
    """

    def __init__(self, client: Desk, folder: StateFolder, id: int, uid: str) -> None:  # noqa: A002 - its public name
        super().__init__(client, folder, id, uid)
        self._client = client
        self._silent: int | None = None  # the cell in which a semicolon keeps its card away

    # -- its end --------------------------------------------------------------------------------------------------

    def wait(self, timeout: float | str | None = None) -> Self:
        """Wait until the job has ended.

        Parameters
        ----------
        timeout : float or str, optional
            Seconds, or a duration such as ``"5m"``; None: as long as it takes.

        Raises
        ------
        TimeoutError
            If it runs out; the job goes on.
        """
        for pause in self._pauses(timeout):
            time.sleep(pause)
        return self

    def _pauses(self, timeout: float | str | None, beat: Callable[[], None] = lambda: None) -> Iterator[float]:
        """Yield pauses until the job has ended; sees to it that a supervisor is there."""
        seconds = options.patience(timeout)

        def late() -> str:
            return f"job {self.id} did not finish within {seconds:g} s; it is still {self.status}."

        def look() -> None:
            self._see_to_supervisor()
            beat()
            waits()

        with self._noted_wait(lambda: [self.id], seconds) as waits:
            yield from waiting.pauses(lambda: self.state.ended, seconds, late, look)

    def _see_to_supervisor(self) -> None:
        shield.run(lambda: wake.see_to(self._folder))  # it takes locks that nobody may keep

    def _ended_of(self, jobs: "Sequence[Job]") -> "list[Job]":
        """Those of several jobs of this store that have ended."""
        ended = listing.ended_states(self._database(), [job.id for job in jobs])
        return [job for job in jobs if job.id in ended]

    def _teller(self) -> Callable[[], None]:
        """Say in one line, once, why the job waits: for a retry, or because something keeps it from starting."""
        told: set[str] = set()

        def tell() -> None:
            record = self._record()
            held = self._held(record)
            line = f"job {self.id}: {record.error}; {record.status()}" if record.retrying else f"job {self.id} waits: {held}"
            if (record.retrying or held) and line not in told:
                print(line)  # noqa: T201 - what result() promises
                told.add(line)

        return tell

    def follow(self) -> None:
        """Print what the job prints, live, until it has ended; an interrupt leaves it running."""
        try:
            for text in following.follow(self):
                print(text, end="", flush=True)  # noqa: T201 - what it is for
        except UnknownJob as error:
            print(error)  # noqa: T201 - somebody has removed it meanwhile
        except KeyboardInterrupt:
            print(f"\njob {self.id} goes on ({self.status}); job.follow() shows it again, job.cancel() ends it.")  # noqa: T201 - likewise

    def show(self, attempt: int | None = None) -> None:
        """Show in this cell what an attempt printed, displayed and returned, and what the job has left running.

        Parameters
        ----------
        attempt : int, optional
            Its number, from 1; by default the newest.

        Raises
        ------
        InvalidParameters
            If the job has no such attempt.
        """
        replay.show(self.outputs(attempt))
        replay.say(f"left running: {each.line(time.time())}" for each in self.left_running())

    @shield.told
    def save_notebook(self, path: str | os.PathLike[str]) -> None:
        """Write a notebook with the call, what it printed, displayed and returned, and the attempts in its metadata.

        Raises
        ------
        StoreError
            If the file can't be written.
        """
        notebook_export.write(self, path)

    def result(self, timeout: float | str | None = None) -> Any:
        """Wait, and return what the method returned, or raise what it raised.

        While the job waits for a retry, one line says so.

        Parameters
        ----------
        timeout : float or str, optional
            Seconds, or a duration such as ``"5m"``; None: as long as it takes.

        Raises
        ------
        TimeoutError
            If `timeout` runs out; the job goes on.
        JobFailed
            `JobCancelled`, `JobTimeout` or `JobLost` where the job left no exception. The first two have what the method
            returned in spite of the interrupt as `value`.
        ResultNotKept
            If the return value could not be kept.
        BaseException
            The job's own exception; its cause shows the traceback there.
        """
        for pause in self._pauses(timeout, self._teller()):
            time.sleep(pause)
        return self._result()

    def _result(self) -> Any:
        error = self._exception()
        if error is not None:
            raise error
        last = self.attempts[-1:]
        return results.value(self._folder.attempt(last[0].folder or "") if last else None, self.id)

    def exception(self, timeout: float | str | None = None) -> BaseException | None:
        """Wait, and return what the job raised; None if it has succeeded."""
        self.wait(timeout)
        return self._exception()

    def _exception(self) -> BaseException | None:
        record = self._record()
        if record.state is JobState.SUCCEEDED:
            return None
        last = self.attempts[-1:]
        if record.state is JobState.CANCELLED:
            ended = last[0] if last and last[0].outcome == "cancelled" else None  # else it was cancelled before it ran again
            folder = None if ended is None or ended.folder is None else self._folder.attempt(ended.folder)
            return results.exception(folder, "cancelled", f"job {self.id} was cancelled ({record.call.target})", None)
        message = f"job {self.id} ({record.call.target}): {record.error}"
        if not last or last[0].error != record.error:  # it failed without another attempt: by its deadline, or another job
            return results.exception(None, None, message, None)
        folder = None if last[0].folder is None else self._folder.attempt(last[0].folder)
        return results.exception(folder, last[0].outcome, message, self.traceback)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._awaited().__await__()

    async def _awaited(self) -> Any:
        for pause in self._pauses(None):
            await asyncio.sleep(pause)
        return self._result()

    # -- changes --------------------------------------------------------------------------------------------------

    @shield.told
    def cancel(self, grace: float | str | None = None) -> Self:
        """Cancel the job, and return when it has ended: its whole tree is interrupted, then terminated, then killed.

        Parameters
        ----------
        grace : float or str, optional
            Duration that each step is given; by default `kill_grace_seconds`.

        Raises
        ------
        InvalidParameters
            If `grace` is no duration.
        InvalidRequest
            If the job has ended, or is elsewhere, and nobody there would hear of it.
        """
        seconds, state = options.grace_seconds(grace), self.state
        if state.ended:
            had = "was" if state is JobState.CANCELLED else "has"
            raise InvalidRequest(f"job {self.id} {had} {state} already; only a job that has not ended can be cancelled.")
        self._request_cancel([self], seconds)
        return self.wait()

    def _is_out_of_reach(self) -> bool:
        """Whether the job has not ended, is elsewhere, and nobody there would hear what is asked of it."""
        record = self._record()
        return not record.state.ended and not shield.run(lambda: occupancy.hears(self._folder, record.owner.place))

    def _request_cancel(self, jobs: "Sequence[Job]", seconds: float | None) -> None:
        """Ask for the cancellation of those of several jobs of this store that have not ended."""
        for job in jobs:
            if job._is_out_of_reach():  # noqa: SLF001 - of its own class
                raise InvalidRequest(
                    f"job {job.id} is {job.status}: it can be cancelled only there. If that place no longer exists, run "
                    f"`jupyter bgjobs adopt {job.id}` first."
                )
        self._client.cancel(self._folder, [job.id for job in jobs], seconds)

    @shield.told
    def set_priority(self, priority: int) -> Self:
        """Give a queued job another priority: a higher one goes first.

        Raises
        ------
        InvalidParameters
            If it is no whole number.
        InvalidRequest
            If the job is not queued.
        """
        if not self._client.set_priority(self._folder, self.id, priority):
            raise InvalidRequest(f"job {self.id} is {self.state}; only a queued job has a place in its queue to change.")
        return self

    @shield.told
    def retry(self, params: Mapping[str, Any] | None = None) -> "Job":
        """Add one attempt to a job that failed or was cancelled, with this process's environment.

        Parameters
        ----------
        params : mapping, optional
            Parameters to change: then it is a new job, `retried_from` this one, with the same options; also of a job that has
            succeeded.

        Returns
        -------
        Job
            This job, or the new one.

        Raises
        ------
        InvalidRequest
            If it has not ended, has succeeded, or comes after a job that has failed.
        DuplicateJob
            If another job holds its unique key.
        """
        record = self._record()
        if params is not None:
            return self._retry_changed(record, params)
        if record.state not in (JobState.FAILED, JobState.CANCELLED):
            fix = "submit it again" if record.state is JobState.SUCCEEDED else "wait for its end or cancel it"
            raise InvalidRequest(f"job {self.id} is {record.state}; only one that failed or was cancelled can be retried: {fix}.")
        self._check_retry(record)
        if not self._retry([self]):
            raise InvalidRequest(
                f"job {self.id} was not retried: another job holds its unique key, or one that it needs has failed."
            )
        return self

    def _retry(self, jobs: "Sequence[Job]") -> "list[Job]":
        """Ask for another attempt of several jobs of this store; return those that have got one."""
        before = {job.id: job._record().attempt for job in jobs}  # noqa: SLF001 - of its own class
        self._client.retry(self._folder, sorted(before))  # what another comes after goes first
        answered = lambda: not queries.has_request(self._database(), list(before))  # noqa: E731 - one look, named
        waiting.wait(answered, None, str, self._see_to_supervisor)
        now = {job.id: job._record() for job in jobs}  # noqa: SLF001 - likewise
        return [job for job in jobs if not now[job.id].state.ended or now[job.id].attempt > before[job.id]]

    def _check_retry(self, record: JobRecord) -> None:
        self._check_dependencies()
        holder = None if record.unique_key is None else queries.live_holder(self._database(), record.unique_key)
        if holder is not None:
            raise DuplicateJob(f"job {holder} holds the unique key of job {self.id}: wait for its end or cancel it.")

    def _check_dependencies(self) -> None:
        earlier, removed = queries.failed_dependency(self._database(), self.id) or (None, False)
        if removed:
            raise InvalidRequest(
                f"job {self.id} comes after job {earlier}, which did not succeed and was removed: submit it again."
            )
        if earlier is not None:
            raise InvalidRequest(f"job {self.id} comes after job {earlier}, which did not succeed: retry job {earlier} first.")

    def _retry_changed(self, record: JobRecord, params: Mapping[str, Any]) -> "Job":
        if not record.state.ended:
            raise InvalidRequest(f"job {self.id} is {record.state}; wait for its end or cancel it, then retry it.")
        self._check_dependencies()
        rules = {name: list(value) if isinstance(value, tuple) else value for name, value in record.rules.to_json().items()}
        given: dict[str, Any] = {"name": record.name, "queue": record.queue, "priority": record.priority, "retry": rules}
        given |= {} if record.timeout is None else {"timeout": record.timeout}
        given["unique"] = encoding.asked_unique(record.call, record.unique_key)
        given["after"], given["after_any"] = queries.remaining_dependencies(self._database(), self.id)
        changed = {**self.params, **options.mapping(params, "params")}
        code = self._pickled(serialization.CODE, record.call.pickled)
        job: Job = self._client.submit(record.call.target, changed, init=self.init, retried_from=self.id, code=code, **given)
        return job

    @shield.told
    def remove(self) -> None:
        """Remove the job with its outputs, log and result, for good.

        Raises
        ------
        InvalidRequest
            If it has not ended, or its hook is still to be called.
        """
        state = self.state
        if not state.ended:
            raise InvalidRequest(f"job {self.id} is {state}; only a job that has ended can be removed: cancel it first.")
        if not self._client.remove(self._folder, [self.id]):
            raise InvalidRequest(f"job {self.id} can't be removed while its hook is called or it is about to be retried.")

    def _remove(self, jobs: "Sequence[Job]") -> int:
        """Remove those of several jobs of this store that have ended."""
        return len(self._client.remove(self._folder, [job.id for job in jobs]))

    @shield.told
    def keep(self, kept: bool = True) -> Self:  # noqa: FBT001, FBT002 - `job.keep()` and `job.keep(False)` read well
        """Exempt the job from `clean` and from the retention of the configuration; `job.keep(False)`: no longer."""
        self._client.keep(self._folder, self.id, kept=kept)
        return self

    def run_here(self) -> Any:
        """Run the same call with the same parameters in this process, so that breakpoints and ``%debug`` work.

        Nothing is recorded; what it raises is raised.
        """
        return self._client.prepare_here(self.target, self.params, init=self.init)()

    @shield.told
    def add_done_callback(self, function: Callable[["Job"], object]) -> None:
        """Call a function with this job once it has ended: in a thread of this process, or at once if it has ended already.

        What the function raises is shown, and harms nothing. With the process, what was to be called is forgotten.
        """
        self._client.call_when_ended(self._folder, self.id, lambda: function(self))

    # -- how it looks ---------------------------------------------------------------------------------------------

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Job) and other.uid == self.uid

    def __hash__(self) -> int:
        return hash(self.uid)

    def __reduce__(self) -> tuple[Any, ...]:
        return reopening.job, (type(self), self._client, self._folder.path, self.id, self.uid)

    def __repr__(self) -> str:
        try:
            return f"<{self._record().line(time.time())}>"
        except UnknownJob:
            return f"<job {self.id}, which was removed>"

    def _repr_html_(self) -> str:
        from .html import card, note

        try:
            return card(self._record(), self.status, time.time())
        except UnknownJob:
            return note(f"job {self.id}, which was removed")

    def is_silenced(self) -> bool:
        """Whether the line that made this job, in this very cell, ended in a semicolon: then its card is not shown."""
        from IPython.core.getipython import get_ipython

        return self._silent is not None and self._silent == getattr(get_ipython(), "execution_count", None)

    def _ipython_display_(self) -> None:
        """Show the card, as it is now; where the extension is loaded it is a live one."""
        from IPython.display import publish_display_data

        if not self.is_silenced():
            publish_display_data({"text/plain": repr(self), "text/html": self._repr_html_()})
