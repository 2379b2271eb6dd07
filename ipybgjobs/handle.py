"""`Job`: a handle on one job. It holds no state of its own; everything is read live, from any process.

It reads attempt folders for logs, results and exceptions, and asks the client for changes.
"""

import asyncio
import contextlib
import time
from collections.abc import Generator, Iterator
from typing import Any, Protocol, Self

from . import attempt, durations, plain, redaction
from .errors import (
    InvalidParameters,
    InvalidRequest,
    JobCancelled,
    JobFailed,
    JobLost,
    JobNotAllowed,
    JobTimeout,
    RemoteTraceback,
    ResultNotKept,
)
from .folder import StateFolder
from .models import Attempt, JobRecord, JobState, Outcome
from .process import identity, lock
from .store import records
from .store.database import Database

#: Seconds between two looks while waiting: the first, the longest.
_SHORTEST, _LONGEST = 0.002, 0.2

#: Seconds between two looks whether a supervisor is there, while waiting.
_LOOK_FOR_SUPERVISOR = 1.0

_WITHOUT_EXCEPTION = {
    Outcome.CANCELLED: JobCancelled,
    Outcome.TIMEOUT: JobTimeout,
    Outcome.LOST: JobLost,
    Outcome.DENIED: JobNotAllowed,
}


class Desk(Protocol):
    """What a job needs of the client: the store, and the changes that a person may ask for."""

    def database(self, folder: StateFolder) -> Database:
        """Open the store."""

    def cancel(self, folder: StateFolder, job_id: int, host: str, grace: float | None) -> None:
        """Ask the host's supervisor to cancel a job."""

    def retry(self, folder: StateFolder, job_id: int) -> None:
        """Ask for another attempt."""


class Job:
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
        self._client = client
        self._folder = folder
        self.id = id
        self.uid = uid
        self._silent: int | None = None  # the cell in which a semicolon keeps its card away

    def _record(self) -> JobRecord:
        return records.job(self._client.database(self._folder), self.uid)

    # -- what it is -----------------------------------------------------------------------------------------------

    @property
    def target(self) -> str:
        """The dotted path of what runs."""
        return self._record().call.target

    @property
    def params(self) -> dict[str, Any]:
        """The parameters, as they were converted at submit."""
        call = self._record().call
        return {**call.params, **self._pickled("params.", call.pickled)}

    @property
    def init(self) -> dict[str, Any]:
        """The constructor's parameters."""
        call = self._record().call
        return {**call.init, **self._pickled("init.", call.pickled)}

    def _pickled(self, prefix: str, slots: dict[str, str]) -> dict[str, Any]:
        if not any(slot.startswith(prefix) for slot in slots):
            return {}
        with open(f"{self._folder.job(self.uid)}/{attempt.PARAMETERS}", "rb") as file:
            values = plain.load(file.read())
        return {slot.removeprefix(prefix): value for slot, value in values.items() if slot.startswith(prefix)}

    @property
    def name(self) -> str | None:
        """The name it was given."""
        return self._record().name

    @property
    def queue(self) -> str:
        """The queue it waits or waited in."""
        return self._record().queue

    @property
    def priority(self) -> int:
        """Higher goes first."""
        return self._record().priority

    # -- how it is ------------------------------------------------------------------------------------------------

    @property
    def state(self) -> JobState:
        """``queued``, ``running``, ``succeeded``, ``failed`` or ``cancelled``, now."""
        return records.state(self._client.database(self._folder), self.id)

    @property
    def status(self) -> str:
        """The state as a person would say it, with the time of a retry."""
        record = self._record()
        if not record.state.ended and record.owner.host != identity.host():
            return f"{record.status()} elsewhere ({record.owner.host}, {self._last_heard(record.owner.host)})"
        held = self._held(record)
        return f"{record.status()}, held: {held}" if held else record.status()

    def _held(self, record: JobRecord) -> str | None:
        """What keeps a queued job from starting, if the supervisor has said so."""
        if record.state is not JobState.QUEUED or record.not_before > time.time():
            return None
        rows = records.supervisors(self._client.database(self._folder))
        return next((row["notice"] for row in rows if row["host"] == record.owner.host and row["notice"]), None)

    def _last_heard(self, host: str) -> str:
        heard = [row["heard_at"] for row in records.supervisors(self._client.database(self._folder)) if row["host"] == host]
        return f"last heard {durations.show(max(0.0, time.time() - heard[0]))} ago" if heard else "never heard of"

    @property
    def error(self) -> str | None:
        """The last failure in one line, also while the job waits for a retry; None if there was none."""
        return self._record().error

    @property
    def attempts(self) -> list[Attempt]:
        """Every attempt, oldest first."""
        return records.attempts(self._client.database(self._folder), self.id)

    @property
    def traceback(self) -> str | None:
        """The traceback of the last attempt that left one, as text."""
        found = [each.traceback for each in self.attempts if each.traceback]
        return found[-1] if found else None

    def log(self, tail: int | None = None) -> str:
        """Return what the newest attempt printed, errors included.

        Parameters
        ----------
        tail : int, optional
            Only the last so many lines.
        """
        folders = [each.folder for each in self.attempts if each.folder]
        return attempt.tail(f"{self._folder.attempt(folders[-1])}/{attempt.OUTPUT}", tail) if folders else ""

    # -- its end --------------------------------------------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until the job has ended.

        Parameters
        ----------
        timeout : float, optional
            Seconds; None: as long as it takes.

        Raises
        ------
        TimeoutError
            If it runs out; the job goes on.
        """
        for pause in self._pauses(timeout):
            time.sleep(pause)
        return self

    def _pauses(self, timeout: float | None, *, tell: bool = False) -> Iterator[float]:
        """Yield pauses until the job has ended; sees to it that a supervisor is there."""
        limit = None if timeout is None else time.monotonic() + timeout
        pause, looked, told = _SHORTEST, time.monotonic(), ""
        while not self.state.ended:
            now = time.monotonic()
            if limit is not None and now >= limit:
                raise TimeoutError(f"job {self.id} has not ended in {timeout} s; it goes on ({self.status}).")
            if now - looked > _LOOK_FOR_SUPERVISOR:
                looked = now
                self._see_to_supervisor()
                told = self._tell(told) if tell else told
            yield pause if limit is None else max(0.0, min(pause, limit - now))
            pause = min(_LONGEST, pause * 1.3)

    def _see_to_supervisor(self) -> None:
        from .summon import summon

        if not lock.is_held(self._folder.supervisor_lock(identity.host())):
            summon(self._folder)

    def _tell(self, told: str) -> str:
        """Say in one line, once, why the job waits: for a retry, or because something keeps it from starting."""
        record = self._record()
        held = self._held(record)
        line = f"job {self.id}: {record.error}; {record.status()}" if record.retrying else f"job {self.id} waits: {held}"
        if (record.retrying or held) and line != told:
            print(line)  # noqa: T201 - what result() promises
            return line
        return told

    def result(self, timeout: float | None = None) -> Any:
        """Wait, and return what the method returned, or raise what it raised.

        While the job waits for a retry, one line says so.

        Parameters
        ----------
        timeout : float, optional
            Seconds; None: as long as it takes.

        Raises
        ------
        TimeoutError
            If `timeout` runs out; the job goes on.
        JobFailed
            `JobCancelled`, `JobTimeout` or `JobLost` where the job left no exception.
        ResultNotKept
            If the return value could not be kept.
        BaseException
            The job's own exception; its cause shows the traceback there.
        """
        for pause in self._pauses(timeout, tell=True):
            time.sleep(pause)
        return self._result()

    def _result(self) -> Any:
        error = self._exception()
        if error is not None:
            raise error
        folder, outcome = self._outcome()
        result = outcome.get("result", {})
        if "plain" in result:
            return result["plain"]
        if "lost" in result:
            raise ResultNotKept(
                f"job {self.id} has succeeded, but its return value, a {result['type']}, can't be kept: {result['lost']}. "
                f"Its repr is {redaction.cut(result['repr'], 200)}",
                result["repr"],
            )
        try:
            with open(f"{folder}/{attempt.RESULT}", "rb") as file:
                return plain.load(file.read())
        except Exception as problem:
            raise ResultNotKept(
                f"job {self.id} has succeeded, but its return value can't be loaded here: {type(problem).__name__}: {problem}."
            ) from problem

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait, and return what the job raised; None if it has succeeded."""
        self.wait(timeout)
        return self._exception()

    def _exception(self) -> BaseException | None:
        record = self._record()
        if record.state is JobState.SUCCEEDED:
            return None
        last = self.attempts[-1:]
        if record.state is JobState.CANCELLED or not last:
            return JobCancelled(f"job {self.id} was cancelled ({record.call.target}).")
        if last[0].outcome is not Outcome.ERROR:
            kind = _WITHOUT_EXCEPTION.get(last[0].outcome or Outcome.LOST, JobFailed)
            return kind(f"job {self.id} ({record.call.target}): {last[0].error}.")
        return self._own_exception(record)

    def _own_exception(self, record: JobRecord) -> BaseException:
        folder, outcome = self._outcome()
        error: BaseException | None = None
        if outcome.get("pickled"):
            # A type that can't be imported or rebuilt here leaves its text.
            with contextlib.suppress(Exception), open(f"{folder}/{attempt.EXCEPTION}", "rb") as file:
                error = plain.load(file.read())
        if not isinstance(error, BaseException):
            error = JobFailed(f"job {self.id} ({record.call.target}): {record.error}")
        error.__cause__ = RemoteTraceback(self.traceback or "")
        return error

    def _outcome(self) -> tuple[str, dict[str, Any]]:
        folder = self._folder.attempt(self.attempts[-1].folder or "")
        return folder, attempt.read_json(folder, attempt.OUTCOME) or {}

    def __await__(self) -> Generator[Any, None, Any]:
        return self._awaited().__await__()

    async def _awaited(self) -> Any:
        for pause in self._pauses(None):
            await asyncio.sleep(pause)
        return self._result()

    # -- changes --------------------------------------------------------------------------------------------------

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
            If the job has ended, or is another host's.
        """
        record, seconds = self._record(), None
        if grace is not None:
            try:
                seconds = durations.seconds(grace, "grace")
            except ValueError as error:
                raise InvalidParameters(str(error)) from None
        if record.state.ended:
            raise InvalidRequest(f"job {self.id} has {record.state} already; only a job that has not ended can be cancelled.")
        if record.owner.host != identity.host():
            raise InvalidRequest(f"job {self.id} is {self.status}; cancel it there.")
        self._client.cancel(self._folder, self.id, record.owner.host, seconds)
        return self.wait()

    def retry(self) -> Self:
        """Add one attempt to a job that failed or was cancelled, with this process's environment.

        Raises
        ------
        InvalidRequest
            If it has not ended, or has succeeded.
        """
        state = self.state
        if state not in (JobState.FAILED, JobState.CANCELLED):
            fix = "submit it again" if state is JobState.SUCCEEDED else "wait for its end or cancel it"
            raise InvalidRequest(f"job {self.id} is {state}; only one that failed or was cancelled can be retried: {fix}.")
        before = self._record().attempt
        self._client.retry(self._folder, self.id)
        self._wait_for_answer(before)
        return self

    def _wait_for_answer(self, before: int, pause: float = _SHORTEST) -> None:
        looked = time.monotonic()
        while self.state.ended and self._record().attempt == before:
            time.sleep(pause)
            pause = min(_LONGEST, pause * 1.3)
            if time.monotonic() - looked > _LOOK_FOR_SUPERVISOR:
                looked = time.monotonic()
                self._see_to_supervisor()

    # -- how it looks ---------------------------------------------------------------------------------------------

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Job) and other.uid == self.uid

    def __hash__(self) -> int:
        return hash(self.uid)

    def __repr__(self) -> str:
        return f"<{self._record().line(time.time())}>"

    def _repr_html_(self) -> str:
        from .cards import card

        return card(self._record(), self.status, time.time())

    def _ipython_display_(self) -> None:
        """Show the card, unless the line that made this job ended in a semicolon."""
        from IPython.core.getipython import get_ipython
        from IPython.display import publish_display_data

        if self._silent is not None and self._silent == getattr(get_ipython(), "execution_count", None):
            return

        publish_display_data({"text/plain": repr(self), "text/html": self._repr_html_()})
