"""`Job`: a handle to one job. It holds no state of its own; everything is read live, from any process.

It waits, reads results and exceptions, and asks the client for changes. A copy refers to the same job, even in another process:
a pickle holds the state folder and the uid.
"""

import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, Self

from ...errors import InvalidRequest, UnknownJob
from ...model import serialization
from ...model.records import JobRecord, JobState
from ...state.folder import StateFolder
from ...store import queries
from ...system import interrupt_shield
from ...targets.callables import Called
from ..submit import encoding, option_table, options, times
from . import batch, controls, reopening, waiting
from .controls import Cancel, Keep, ManualRetry, Remove, SetPriority
from .job_client import JobClient
from .view import JobView


class Job(JobView):
    """One job; always truthy, because it was accepted.

    Parameters
    ----------
    client : JobClient
        The client whose store it is in.
    folder : StateFolder
        The state folder.
    id : int
        The job's id in this store.
    uid : str
        The job's identifier, unique across machines.

    Examples
    --------
    >>> ipybgjobs.submit("training.square", {"x": 7}).wait("1m").result()
    49
    """

    def __init__(self, client: JobClient, folder: StateFolder, id: int, uid: str) -> None:  # noqa: A002 - its public name
        super().__init__(client, folder, id, uid)
        self._silent: int | None = None  # the cell in which a semicolon hides its card

    # -- its outcome --------------------------------------------------------------------------------------------------

    def wait(self, timeout: float | str | None = None) -> Self:
        """Wait until the job has finished.

        Parameters
        ----------
        timeout : float or str, optional
            Seconds, or a duration such as ``"5m"``; None: no limit.

        Raises
        ------
        TimeoutError, InvalidParameters
            If `timeout` expires (the job keeps running), or is not a duration.
        """
        for pause in self._pauses(timeout):
            time.sleep(pause)
        return self

    def _pauses(self, timeout: float | str | None, beat: Callable[[], None] = lambda: None) -> Iterator[float]:
        """Yield pauses until the job has finished, and make sure that a supervisor runs."""
        seconds = times.wait_timeout(timeout)

        def late() -> str:
            return f"job {self.id} did not finish within {seconds:g} s; it is still {self.status}."

        def look() -> None:
            alone.ensure_supervisor()
            beat()
            waits()

        alone = batch.of(self)
        with alone.recorded_wait(seconds) as waits:
            yield from waiting.pauses(lambda: self.state.ended, seconds, late, look)

    def _wait_notice(self) -> Callable[[], None]:
        """Return a function that prints once why the job waits: for a retry, or because something keeps it from starting."""
        told: set[str] = set()

        def tell() -> None:
            record, status = self.record(), self.job_status()
            retrying = record.state is JobState.RETRYING
            held = status.reason if status.held else None
            line = f"job {self.id}: {record.error}; {record.status()}" if retrying else f"job {self.id} is waiting: {held}"
            if (retrying or held) and line not in told:
                print(line)  # noqa: T201 - documented in result()
                told.add(line)

        return tell

    def follow(self) -> None:
        """Print the job's output, live, until it has finished; an interrupt leaves it running."""
        from . import following

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
        from ...state import replay

        replay.show(self.outputs(attempt))
        replay.say(f"left running: {each.line(time.time())}" for each in self.left_running())

    @interrupt_shield.explains_interrupts
    def save_notebook(self, path: str | os.PathLike[str]) -> None:
        """Write a notebook with the call, what it printed, displayed and returned, and the attempts in its metadata.

        Raises
        ------
        StoreError
            If the file can't be written.
        """
        from . import notebook_export

        notebook_export.write(self, path)

    @interrupt_shield.explains_interrupts
    def export(self, path: str | os.PathLike[str] | None = None, *, force: bool = False) -> str:
        """Write a zip file for a bug report: the job's call and attempts, their logs and outputs, and what `doctor` reports.

        Secret parameters are blanked wherever they appear, and environment variables and pickled values are left out. What a job
        has printed by itself is in its log, so look through the file before you send it.

        Parameters
        ----------
        path : path, optional
            The file; by default ``job-ID.zip`` in the current folder.
        force : bool
            Whether to replace a file that exists.

        Returns
        -------
        str
            The absolute path of the file.

        Raises
        ------
        InvalidRequest
            If the file exists, and `force` is false.
        StoreError
            If the file can't be written.
        """
        from . import bug_report

        return bug_report.write(self, path, force=force).path

    def result(self, timeout: float | str | None = None) -> Any:
        """Wait, and return what the method returned, or raise what it raised.

        If the job has to wait for a retry, one line is printed.

        Parameters
        ----------
        timeout : float or str, optional
            Seconds, or a duration such as ``"5m"``; None: no limit.

        Raises
        ------
        TimeoutError, InvalidParameters
            If `timeout` expires (the job keeps running), or is not a duration.
        JobFailed
            `JobCancelled`, `JobTimeout` or `JobLost` if the job left no exception. The `value` of the first two is what the
            method returned despite the interrupt.
        ResultNotKept
            If the return value could not be saved.
        BaseException
            The job's own exception; its cause shows the traceback from the job's process.
        """
        from . import outcome

        for pause in self._pauses(timeout, self._wait_notice()):
            time.sleep(pause)
        return outcome.result(self)

    def exception(self, timeout: float | str | None = None) -> BaseException | None:
        """Wait, and return what the job raised; None if it succeeded.

        Raises
        ------
        TimeoutError, InvalidParameters
            If `timeout` expires (the job keeps running), or is not a duration.
        """
        from . import outcome

        self.wait(timeout)
        return outcome.exception(self)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._awaited().__await__()

    async def _awaited(self) -> Any:
        import asyncio  # here, since a submit needs none of it

        from . import outcome

        for pause in self._pauses(None):
            await asyncio.sleep(pause)
        return outcome.result(self)

    # -- changes --------------------------------------------------------------------------------------------------

    @interrupt_shield.explains_interrupts
    def cancel(self, grace: float | str | None = None) -> Self:
        """Cancel the job, and return once it has finished: its process tree is interrupted, then terminated, then killed.

        Parameters
        ----------
        grace : float or str, optional
            Time allowed for each step; by default `kill_grace_seconds`.

        Raises
        ------
        InvalidParameters
            If `grace` is not a duration.
        InvalidRequest
            If the job has finished, or is elsewhere and no supervisor would cancel it there.
        """
        controls.apply(Cancel(times.grace_seconds(grace)), [self], strict=True)
        return self.wait()

    @interrupt_shield.explains_interrupts
    def set_priority(self, priority: int) -> Self:
        """Change the priority of a queued job: higher runs first.

        Raises
        ------
        InvalidParameters
            If it is not an integer.
        InvalidRequest
            If the job is not queued.
        """
        controls.apply(SetPriority(options.priority(priority)), [self], strict=True)
        return self

    @interrupt_shield.explains_interrupts
    def retry(self, params: Mapping[str, Any] | None = None) -> "Job":
        """Add one attempt to a failed or cancelled job, or start that of a retrying one now, with this process's environment.

        Parameters
        ----------
        params : mapping, optional
            Parameters to change. If given, a new job is submitted with the same options and with `retried_from` set to this job;
            this also works for a job that succeeded.

        Returns
        -------
        Job
            This job, or the new one.

        Raises
        ------
        InvalidRequest
            If it is queued or running, has succeeded, depends on a job that has failed, or is retrying elsewhere.
        DuplicateJob
            If another job holds its unique key.
        InvalidParameters
            If the changed parameters don't fit; any other error of `ipybgjobs.submit` is possible then, too.
        """
        if params is not None:
            return self._retry_changed(self.record(), params)
        controls.apply(ManualRetry(), [self], strict=True)
        return self

    def _retry_changed(self, record: JobRecord, params: Mapping[str, Any]) -> "Job":
        if not record.state.ended:
            raise InvalidRequest(
                f"job {self.id} can't be retried ({record.state}): wait for it to finish, or cancel it, then retry it."
            )
        for refusal in controls.failed_dependencies(batch.of(self)).values():
            raise refusal
        given: option_table.SubmitOptions = {"name": record.name, "queue": record.queue, "priority": record.priority}
        given |= {
            "retry": options.as_given(record.retry_settings),
            "timeout": record.timeout,
            "unique": encoding.requested_unique(record.call, record.unique_key),
        }
        given["after"], given["after_any"] = queries.remaining_dependencies(self._database(), self.id)
        init, changed = self.init, {**self.params, **options.mapping(params, "params")}
        for name in [name for name in changed if name in init and name not in self.params]:
            init[name] = changed.pop(name)
        code = self._pickled(serialization.CODE, record.call.pickled)
        job: Job = self._client.submit(self._called(), changed, init=init, retried_from=self.id, code=code, **given)
        return job

    def _called(self) -> Called:
        return Called(self.target, self.instance)

    @interrupt_shield.explains_interrupts
    def remove(self) -> None:
        """Permanently remove the job with its outputs, log and result.

        Raises
        ------
        InvalidRequest
            If it has not finished, or its hook has not run yet.
        """
        controls.apply(Remove(), [self], strict=True)

    @interrupt_shield.explains_interrupts
    def keep(self, kept: bool = True) -> Self:  # noqa: FBT001, FBT002 - `job.keep()` and `job.keep(False)` read well
        """Exempt the job from `clean` and from the configured retention; `job.keep(False)` ends the exemption."""
        controls.apply(Keep(kept), [self], strict=True)
        return self

    def run_here(self) -> Any:
        """Run the same call with the same parameters in this process, so that breakpoints and ``%debug`` work.

        Nothing is recorded; exceptions are raised unchanged.
        """
        return self._client.prepare_here(self._called(), self.params, init=self.init)()

    @interrupt_shield.explains_interrupts
    def add_done_callback(self, function: Callable[["Job"], object]) -> None:
        """Call a function with this job once it has finished: in a thread of this process, or immediately if it already has.

        Exceptions of the function are printed, and have no other effect. Callbacks are lost when the process ends.
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
            return f"<{self.line()}>"
        except UnknownJob:
            return f"<job {self.id}, which was removed>"

    def line(self) -> str:
        """Return the job on one line: its call, its state with the reason why it waits, and its times."""
        status = self.job_status()
        return self.record().line(time.time(), status.text, status.usual)

    def to_html(self) -> str:
        """Return the job's card, as static HTML."""
        from .html import card, note

        try:
            return card(self.record(), self.job_status(), time.time())
        except UnknownJob:
            return note(f"job {self.id}, which was removed")

    def _repr_html_(self) -> str:
        return self.to_html()

    def silence(self, cell: int) -> None:
        """Hide the job's card at the end of a cell, given by its execution count."""
        self._silent = cell

    def is_silenced(self) -> bool:
        """Return whether the line that made this job, in this cell, ended in a semicolon, which hides its card."""
        from IPython.core.getipython import get_ipython

        return self._silent is not None and self._silent == getattr(get_ipython(), "execution_count", None)

    def _ipython_display_(self) -> None:
        """Show the job's card, live if the extension is loaded."""
        from IPython.display import publish_display_data

        if not self.is_silenced():
            publish_display_data({"text/plain": repr(self), "text/html": self._repr_html_()})
