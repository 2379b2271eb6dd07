"""Functions for running jobs: report progress, identify the job. Outside a job they do nothing, so the same code runs anywhere.

Progress is written at most a few times a second, however often it is reported. Workers load it, so it imports next to nothing.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

from . import attempt
from .throttled_file import INTERVAL, ThrottledFile

#: Longest message that is written, in characters.
_LONGEST = 1000

_Item = TypeVar("_Item")


class CurrentJob(NamedTuple):
    """The job that runs in this process."""

    id: int
    uid: str
    name: str | None
    attempt: int
    folder: str  #: the attempt folder; whatever the job writes there stays with its other outputs

    @property
    def folder_of_job(self) -> str:
        """A folder that all attempts of the job share, for checkpoints; created on first use, and removed with the job.

        Raises
        ------
        OSError
            If it can't be created.
        """
        path = f"{os.path.dirname(self.folder)}/{attempt.KEPT}"
        os.makedirs(path, mode=0o700, exist_ok=True)
        return path


class HiddenResult(NamedTuple):
    """A result that is kept but not shown among the outputs."""

    value: dict[str, Any]  #: each is saved separately


class Bar(NamedTuple):
    """The progress of one loop."""

    label: str
    done: float
    total: float | None
    unit: str
    elapsed: float  #: seconds
    rate: float | None  #: steps per second


class Reporter:
    """Writes the progress of a job; used by any thread of the job's process, but by no fork of it.

    Parameters
    ----------
    folder : str
        The attempt folder.
    clock : callable
        The monotonic clock.
    """

    def __init__(self, folder: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._bars: dict[int, Bar] = {}  # by reporting object; the outermost first
        self._over: int | None = None  # the outermost loop, once it has ended
        self._message = ""
        self._file = ThrottledFile(folder, attempt.PROGRESS, self._content, clock)
        self.began = clock()

    def show(self, who: int, bar: Bar, message: str | None = None) -> None:
        """Record the progress of a loop, and write it now if it is time, or else a little later."""
        if not self._file.is_own():
            return
        with self._file.lock:
            self._file.pending = True
            if self._over is not None and who != self._over:
                self._bars.pop(self._over, None)  # another loop has begun since
            self._over = None
            self._bars[who] = bar
            self._message = self._message if message is None else message[:_LONGEST]
        self._file.write_soon()

    def say(self, message: str) -> None:
        """Record what the job is doing; its loops stay as they are."""
        if not self._file.is_own():
            return
        with self._file.lock:
            self._file.pending = True
            self._message = message[:_LONGEST]
        self._file.write_soon()

    def close(self, who: int) -> None:
        """Forget a loop that has ended; the outermost stays visible until another begins."""
        if not self._file.is_own() or who not in self._bars:
            return
        with self._file.lock:
            self._file.pending = True
            if next(iter(self._bars), None) == who:
                self._over = who
            else:
                self._bars.pop(who, None)
        self._file.write_soon()

    def flush(self) -> None:
        """Write what was recorded since the last write."""
        self._file.flush()

    def _content(self) -> dict[str, Any]:
        return _shown({"bars": [list(bar) for bar in self._bars.values()], "message": self._message, "at": time.time()})


def _shown(value: dict[str, Any]) -> dict[str, Any]:
    """Return the progress to write, with secrets blanked in its message and in the names of its loops."""
    from ..model import redaction  # only where something is shown

    shown: dict[str, Any] = redaction.cleaned(value, hidden())
    return shown


_current: CurrentJob | None = None
_pid = 0  # the process that runs it; a fork has another
_at_end: list[Callable[[], None]] = []
_reporter: Reporter | None = None


#: Patterns of secret names; values that no text of this attempt may show, including those of the environment once requested.
_secret_names: tuple[str, ...] = ()
_hidden: tuple[str, ...] = ()
_looked_around = False

_most_output: int | None = None


def enter(job: dict[str, Any], folder: str, secrets: dict[str, Any] | None = None, most_output: int | None = None) -> None:
    """Declare that this process runs an attempt.

    Parameters
    ----------
    job : dict
        Its id, uid, name, and the number of the attempt.
    folder : str
        The attempt folder.
    secrets : dict, optional
        The ``names`` that hold secrets, as patterns, and the ``values`` of the call that no text may show.
    most_output : int, optional
        Bytes that its displays, and the outputs of its notebook, may take; by default there is no limit.
    """
    global _current, _pid, _reporter, _secret_names, _hidden, _looked_around, _most_output  # noqa: PLW0603 - one attempt a process
    given = secrets or {"names": (), "values": ()}
    _secret_names, _hidden, _looked_around = tuple(given["names"]), tuple(given["values"]), False
    _most_output = most_output
    _current = CurrentJob(job["id"], job["uid"], job["name"], job["attempt"], folder)
    _pid = os.getpid()
    _reporter = Reporter(folder)


def most_output() -> int | None:
    """Return how many bytes the displays of this process's job may take; None: no limit."""
    return _most_output


def secret_names() -> tuple[str, ...]:
    """Return the patterns of names that hold secrets, of the job that runs in this process."""
    return _secret_names


def hidden() -> tuple[str, ...]:
    """Return the values that no text of this process's job may show: secret parameters, and secret environment variables."""
    global _hidden, _looked_around
    if not _looked_around:
        from ..model import redaction  # only where something is shown

        names = redaction.secret_names(os.environ, _secret_names)
        _hidden, _looked_around = (*_hidden, *(os.environ[name] for name in names)), True
    return _hidden


def reporter() -> Reporter | None:
    """Return the writer of the progress of this process's job; None outside a job."""
    return _reporter


def is_in_its_process() -> bool:
    """Return whether this is the process that runs the job, and no fork of it."""
    return os.getpid() == _pid


def at_end(write: Callable[[], None]) -> None:
    """Call a function when the job ends, to write what is pending."""
    _at_end.append(write)


def finish() -> None:
    """Write what is pending."""
    for write in ([] if _reporter is None else [_reporter.flush]) + _at_end:
        write()


def current_job() -> CurrentJob | None:
    """Return the job that runs in this process; None outside a job.

    Examples
    --------
    >>> job = ipybgjobs.current_job()
    >>> print("not in a job" if job is None else f"attempt {job.attempt} of job {job.id}")
    not in a job
    """
    return _current


def report(done: float | str, total: float | str | None = None, message: str | None = None) -> None:
    """Report the job's progress; outside a job nothing happens.

    Parameters
    ----------
    done : float or str
        The amount done, in any unit; or only a message.
    total : float or str, optional
        The total amount, in the same unit; or the message.
    message : str, optional
        What the job is doing, in a few words.

    Examples
    --------
    >>> for step in range(3):
    ...     ipybgjobs.report(step + 1, total=3, message="training")
    >>> ipybgjobs.report("saving")
    """
    if _reporter is None:
        return
    if isinstance(total, str):
        total, message = None, total if message is None else f"{total} {message}"
    if isinstance(done, str):
        _reporter.say(done if message is None else f"{done} {message}")
    else:
        elapsed = time.monotonic() - _reporter.began
        rate = float(done) / elapsed if elapsed > 0 and done else None
        text = None if message is None else str(message)
        _reporter.show(0, Bar("", float(done), None if total is None else float(total), "", elapsed, rate), text)


def progress(iterable: Iterable[_Item], total: float | None = None, label: str = "") -> Iterator[_Item]:
    """Yield the items of an iterable, and report progress; outside a job only yield them.

    Parameters
    ----------
    iterable : iterable
        The items to loop over.
    total : float, optional
        Number of items; by default the iterable's length, if it has one.
    label : str
        What the loop does.

    Examples
    --------
    >>> for epoch in ipybgjobs.progress(range(2), label="epochs"):
    ...     print(epoch)
    0
    1
    """
    writer = _reporter
    if writer is None:
        yield from iterable
        return
    if total is None:
        with contextlib.suppress(Exception):
            total = len(iterable)  # type: ignore[arg-type] # tried, not asked
    whole = None if total is None else float(total)
    token = object()  # two loops over the same thing are two
    who, began, done, due = id(token), time.monotonic(), 0, 0.0

    def show() -> None:
        elapsed = time.monotonic() - began
        writer.show(who, Bar(str(label), float(done), whole, "it", elapsed, done / elapsed if elapsed else None))

    show()
    try:
        for item in iterable:
            yield item
            done += 1
            if (now := time.monotonic()) >= due:
                due = now + INTERVAL / 2
                show()
    finally:
        show()
        writer.close(who)
