"""`Job`: a handle on one job. It holds no state of its own; everything is read live, from any process.

It waits, reads results and exceptions, and asks the client for changes. A copy is the same job, even in another process: a
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
from ...store import duplicates, listing, queries
from ...system import shield
from ..submit import encoding, option_table, options
from . import following, html, notebook_export, reopening, waiting
from .job_client import Desk
from .view import JobView


class Job(JobView):
    """One job; truthy, because it was accepted.

    Parameters
    ----------
    client : Desk
        The client whose store it is in.
    folder : StateFolder
        The state folder.
    id : int
        The job's id in this store.
    uid : str
        The job's identifier on any machine.

    Examples
    --------
    >>> ipybgjobs.submit("training.square", {"x": 7}).wait("1m").result()
    49
    """

    def __init__(self, client: Desk, folder: StateFolder, id: int, uid: str) -> None:  # noqa: A002 - its public name
        super().__init__(client, folder, id, uid)
        self._client = client
        self._silent: int | None = None  # the cell in which a semicolon hides its card

    # -- its end --------------------------------------------------------------------------------------------------

    def wait(self, timeout: float | str | None = None) -> Self:
        """Wait until the job has ended.

        Parameters
        ----------
        timeout : float or str, optional
            Seconds, or a duration such as ``"5m"``; None: as long as it takes.

        Raises
        ------
        TimeoutError, InvalidParameters
            If `timeout` runs out (the job keeps running), or is not a duration.
        """
        for pause in self._pauses(timeout):
            time.sleep(pause)
        return self

    def _pauses(self, timeout: float | str | None, beat: Callable[[], None] = lambda: None) -> Iterator[float]:
        """Yield pauses until the job has ended, and make sure that a supervisor runs."""
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
        shield.run(lambda: wake.see_to(self._folder))  # it takes locks that must not stay held

    def _ended_of(self, jobs: "Sequence[Job]") -> "list[Job]":
        """Return those of several jobs of this store that have ended."""
        ended = listing.ended_states(self._database(), [job.id for job in jobs])
        return [job for job in jobs if job.id in ended]

    def _teller(self) -> Callable[[], None]:
        """Return a function that prints once why the job waits: for a retry, or because something keeps it from starting."""
        told: set[str] = set()

        def tell() -> None:
            record = self._record()
            held = self._held(record)
            line = f"job {self.id}: {record.error}; {record.status()}" if record.retrying else f"job {self.id} is waiting: {held}"
            if (record.retrying or held) and line not in told:
                print(line)  # noqa: T201 - result() promises it
                told.add(line)

        return tell

    def follow(self) -> None:
        """Print the job's output, live, until it has ended; an interrupt leaves it running."""
        try:
            for text in following.follow(self):
                print(text, end="", flush=True)  # noqa: T201 - its purpose
        except UnknownJob as error:
            print(error)  # noqa: T201 - the job was removed meanwhile
        except KeyboardInterrupt:
            print(f"\njob {self.id} continues ({self.status}); job.follow() follows it again, job.cancel() stops it.")  # noqa: T201

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

        While the job waits for a retry, one line is printed.

        Parameters
        ----------
        timeout : float or str, optional
            Seconds, or a duration such as ``"5m"``; None: as long as it takes.

        Raises
        ------
        TimeoutError, InvalidParameters
            If `timeout` runs out (the job keeps running), or is not a duration.
        JobFailed
            `JobCancelled`, `JobTimeout` or `JobLost` if the job left no exception. The first two hold what the method
            returned despite the interrupt as `value`.
        ResultNotKept
            If the return value could not be saved.
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
        """Wait, and return what the job raised; None if it succeeded.

        Raises
        ------
        TimeoutError, InvalidParameters
            If `timeout`, as for `wait`, runs out, or is not a duration.
        """
        self.wait(timeout)
        return self._exception()

    def _exception(self) -> BaseException | None:
        record = self._record()
        if record.state is JobState.SUCCEEDED:
            return None
        last = self.attempts[-1:]
        if record.state is JobState.CANCELLED:
            ended = last[0] if last and last[0].outcome == "cancelled" else None  # otherwise it was cancelled before it ran again
            folder = None if ended is None or ended.folder is None else self._folder.attempt(ended.folder)
            return results.exception(folder, "cancelled", f"job {self.id} was cancelled ({record.call.target})", None)
        message = f"job {self.id} ({record.call.target}): {record.error}"
        if not last or last[0].error != record.error:  # it failed without another attempt, because of its deadline or another job
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
        """Cancel the job, and return when it has ended: its process tree is interrupted, then terminated, then killed.

        Parameters
        ----------
        grace : float or str, optional
            Time allowed for each step; by default `kill_grace_seconds`.

        Raises
        ------
        InvalidParameters
            If `grace` is not a duration.
        InvalidRequest
            If the job has ended, or is elsewhere, where no supervisor would notice.
        """
        seconds, state = options.grace_seconds(grace), self.state
        if state.ended:
            had = "was" if state is JobState.CANCELLED else "has"
            raise InvalidRequest(f"job {self.id} {had} already {state}; only a queued or running job can be cancelled.")
        self._request_cancel([self], seconds)
        return self.wait()

    def _is_out_of_reach(self) -> bool:
        """Return whether the job has not ended, and is elsewhere, where no supervisor would notice a request."""
        record = self._record()
        return not record.state.ended and not shield.run(lambda: occupancy.hears(self._folder, record.owner.place))

    def _request_cancel(self, jobs: "Sequence[Job]", seconds: float | None) -> None:
        """Request the cancellation of those of several jobs of this store that have not ended."""
        for job in jobs:
            if job._is_out_of_reach():  # noqa: SLF001 - of its own class
                raise InvalidRequest(
                    f"job {job.id} is {job.status}: it can only be cancelled there. If that machine or container no longer "
                    f"exists, run `jupyter bgjobs adopt {job.id}` first."
                )
        self._client.cancel(self._folder, [job.id for job in jobs], seconds)

    @shield.told
    def set_priority(self, priority: int) -> Self:
        """Change the priority of a queued job: higher runs first.

        Raises
        ------
        InvalidParameters
            If it is not an integer.
        InvalidRequest
            If the job is not queued.
        """
        if not self._client.set_priority(self._folder, self.id, priority):
            raise InvalidRequest(f"job {self.id} is not queued ({self.state}); only the priority of a queued job can be changed.")
        return self

    @shield.told
    def retry(self, params: Mapping[str, Any] | None = None) -> "Job":
        """Add one attempt to a failed or cancelled job, with this process's environment.

        Parameters
        ----------
        params : mapping, optional
            Parameters to change: then this submits a new job, `retried_from` this one, with the same options; it also works for a
            job that succeeded.

        Returns
        -------
        Job
            This job, or the new one.

        Raises
        ------
        InvalidRequest
            If it has not ended, has succeeded, or depends on a job that has failed.
        DuplicateJob
            If another job holds its unique key.
        InvalidParameters
            If the changed parameters don't fit; with them, any error of `ipybgjobs.submit` is possible.
        """
        record = self._record()
        if params is not None:
            return self._retry_changed(record, params)
        if record.state not in (JobState.FAILED, JobState.CANCELLED):
            fix = "submit it again" if record.state is JobState.SUCCEEDED else "wait for it to end, or cancel it"
            raise InvalidRequest(f"job {self.id} can't be retried ({record.state}); only a failed or cancelled job can: {fix}.")
        self._check_retry(record)
        if not self._retry([self]):
            raise InvalidRequest(
                f"job {self.id} was not retried: another job holds its unique key, or a job that it depends on failed."
            )
        return self

    def _retry(self, jobs: "Sequence[Job]") -> "list[Job]":
        """Request another attempt of several jobs of this store; return those that got one."""
        before = {job.id: job._record().attempt for job in jobs}  # noqa: SLF001 - of its own class
        self._client.retry(self._folder, sorted(before))  # dependencies first
        answered = lambda: not queries.has_request(self._database(), list(before))  # noqa: E731 - named for the reader
        waiting.wait(answered, None, str, self._see_to_supervisor)
        now = {job.id: job._record() for job in jobs}  # noqa: SLF001 - likewise
        return [job for job in jobs if not now[job.id].state.ended or now[job.id].attempt > before[job.id]]

    def _check_retry(self, record: JobRecord) -> None:
        self._check_dependencies()
        with self._database().looking() as connection:
            holder = duplicates.key_holder(connection, record.unique_key)
        if holder is not None:
            raise DuplicateJob(f"job {holder.id} holds the unique key of job {self.id}: wait for it to end, or cancel it.")

    def _check_dependencies(self) -> None:
        earlier, removed = queries.failed_dependency(self._database(), self.id) or (None, False)
        if removed:
            raise InvalidRequest(
                f"job {self.id} depends on job {earlier}, which did not succeed and was removed: submit job {self.id} again."
            )
        if earlier is not None:
            raise InvalidRequest(f"job {self.id} depends on job {earlier}, which did not succeed: retry job {earlier} first.")

    def _retry_changed(self, record: JobRecord, params: Mapping[str, Any]) -> "Job":
        if not record.state.ended:
            raise InvalidRequest(
                f"job {self.id} can't be retried ({record.state}): wait for it to end, or cancel it, then retry it."
            )
        self._check_dependencies()
        rules = {name: list(value) if isinstance(value, tuple) else value for name, value in record.rules.to_json().items()}
        given: option_table.SubmitOptions = {"name": record.name, "queue": record.queue, "priority": record.priority}
        given |= {"retry": rules, "timeout": record.timeout, "unique": encoding.asked_unique(record.call, record.unique_key)}
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
            If it has not ended, or its hook has not run yet.
        """
        state = self.state
        if not state.ended:
            raise InvalidRequest(f"job {self.id} is {state}; only a finished job can be removed: cancel it first.")
        if not self._client.remove(self._folder, [self.id]):
            raise InvalidRequest(f"job {self.id} can't be removed while its hook is running or a retry is pending.")

    def _remove(self, jobs: "Sequence[Job]") -> int:
        """Remove those of several jobs of this store that have ended."""
        return len(self._client.remove(self._folder, [job.id for job in jobs]))

    @shield.told
    def keep(self, kept: bool = True) -> Self:  # noqa: FBT001, FBT002 - `job.keep()` and `job.keep(False)` read well
        """Exempt the job from `clean` and from the configured retention; `job.keep(False)` ends that."""
        self._client.keep(self._folder, self.id, kept=kept)
        return self

    def run_here(self) -> Any:
        """Run the same call with the same parameters in this process, so that breakpoints and ``%debug`` work.

        Nothing is recorded; exceptions are raised as they are.
        """
        return self._client.prepare_here(self.target, self.params, init=self.init)()

    @shield.told
    def add_done_callback(self, function: Callable[["Job"], object]) -> None:
        """Call a function with this job once it has ended: in a thread of this process, or at once if it has already ended.

        Exceptions of the function are shown, and have no other effect. Callbacks are lost when the process ends.
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
        try:
            return html.card(self._record(), self.status, time.time())
        except UnknownJob:
            return html.note(f"job {self.id}, which was removed")

    def is_silenced(self) -> bool:
        """Return whether the line that made this job, in this cell, ended in a semicolon, which hides its card."""
        from IPython.core.getipython import get_ipython

        return self._silent is not None and self._silent == getattr(get_ipython(), "execution_count", None)

    def _ipython_display_(self) -> None:
        """Show the job's card, live if the extension is loaded."""
        from IPython.display import publish_display_data

        if not self.is_silenced():
            publish_display_data({"text/plain": repr(self), "text/html": self._repr_html_()})
