"""What a job may call while it runs: progress, and who it is. Outside of a job these do nothing: the same code runs anywhere.

Written a few times a second at most, however often it is called. Every worker may load it, so it imports next to nothing.
"""

import contextlib
import os
import time
from _thread import allocate_lock, start_new_thread  # threading itself is no cheap import
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

from ..system import private_file
from . import attempt

#: Seconds between two writes.
_INTERVAL = 0.25

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
        """A folder that all attempts of the job share, for checkpoints; made when it is first asked for, gone with the job.

        Raises
        ------
        OSError
            If it can't be made.
        """
        path = f"{os.path.dirname(self.folder)}/{attempt.KEPT}"
        os.makedirs(path, mode=0o700, exist_ok=True)
        return path


class Unshown(NamedTuple):
    """What a method of ours returns where values are not to stand among the outputs, which are complete without them."""

    value: dict[str, Any]  #: each is kept for itself


class Bar(NamedTuple):
    """How far one loop is."""

    label: str
    done: float
    total: float | None
    unit: str
    elapsed: float  #: seconds
    rate: float | None  #: done a second


class Reporter:
    """Writes how far a job is; used by any thread of the job's process, and by no fork of it.

    Parameters
    ----------
    folder : str
        The attempt folder.
    clock : callable
        The monotonic clock.
    """

    def __init__(self, folder: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._pid = os.getpid()
        self._lock = allocate_lock()
        self._bars: dict[int, Bar] = {}  # by who reports; the outermost first
        self._over: int | None = None  # the outermost loop, once it has ended
        self._message = ""
        self._written_at = -_INTERVAL
        self._pending = False
        self._late = False  # whether a thread is about to write
        self.began = clock()

    def show(self, who: int, bar: Bar, message: str | None = None) -> None:
        """Take note of a loop, and write if it is time; else a little later."""
        if os.getpid() != self._pid:
            return
        with self._lock:
            if self._over is not None and who != self._over:
                self._bars.pop(self._over, None)  # another loop has begun after it
            self._over = None
            self._bars[who] = bar
            self._message = self._message if message is None else message[:_LONGEST]
            self._pending = True
        self._write_soon()

    def close(self, who: int) -> None:
        """Forget a loop that has ended; the outermost stays for everybody to see until another begins."""
        if os.getpid() != self._pid:
            return
        with self._lock:
            if who not in self._bars:
                return
            self._pending = True
            if next(iter(self._bars)) == who:
                self._over = who
            else:
                del self._bars[who]
        self._write_soon()

    def _write_soon(self) -> None:
        if self._clock() - self._written_at >= _INTERVAL:
            self.flush()
        elif not self._late:
            self._late = True
            try:
                start_new_thread(self._flush_late, ())
            except RuntimeError:  # no thread to be had, or the interpreter ends
                self._late = False

    def _flush_late(self) -> None:
        time.sleep(_INTERVAL)
        self._late = False
        self.flush()

    def flush(self) -> None:
        """Write what was noted since the last time."""
        if os.getpid() != self._pid:
            return
        with self._lock:
            if not self._pending:
                return
            self._written_at, self._pending = self._clock(), False
            value = {"bars": [list(bar) for bar in self._bars.values()], "message": self._message, "at": time.time()}
        with contextlib.suppress(OSError, TypeError, ValueError):  # a full disk, or what is no number: the job goes on
            private_file.write_json(self._folder, attempt.PROGRESS, _shown(value))


def _shown(value: dict[str, Any]) -> dict[str, Any]:
    """What is written of the progress: no secret in what it is at, or in the names of its loops."""
    from ..model import redaction  # only where something is shown

    shown: dict[str, Any] = redaction.cleaned(value, hidden())
    return shown


_current: CurrentJob | None = None
_reporter: Reporter | None = None


#: Patterns of the names that hold secrets; values that no text of this attempt may show, the environment's once asked for.
_secret_names: tuple[str, ...] = ()
_hidden: tuple[str, ...] = ()
_looked_around = False

_most_output: int | None = None


def enter(job: dict[str, Any], folder: str, secrets: dict[str, Any] | None = None, most_output: int | None = None) -> None:
    """Say that this process runs an attempt.

    Parameters
    ----------
    job : dict
        Its id, uid, name, and the number of the attempt.
    folder : str
        The attempt folder.
    secrets : dict, optional
        The ``names`` that hold secrets, as patterns, and the ``values`` of the call that no text may show.
    most_output : int, optional
        Bytes that its displays may take, and what a notebook of its shows; by default there is no limit.
    """
    global _current, _reporter, _secret_names, _hidden, _looked_around, _most_output  # noqa: PLW0603 - one attempt a process
    given = secrets or {"names": (), "values": ()}
    _secret_names, _hidden, _looked_around = tuple(given["names"]), tuple(given["values"]), False
    _most_output = most_output
    _current = CurrentJob(job["id"], job["uid"], job["name"], job["attempt"], folder)
    _reporter = Reporter(folder)


def most_output() -> int | None:
    """Return how many bytes the displays of this process's job may take; None: as many as there are."""
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
    """What writes the progress of this process's job; None outside of a job."""
    return _reporter


def finish() -> None:
    """Write what is not written yet."""
    if _reporter is not None:
        _reporter.flush()


def current_job() -> CurrentJob | None:
    """Return the job that runs in this process; None outside of a job."""
    return _current


def report(done: float, total: float | None = None, message: str | None = None) -> None:
    """Say how far the job is; outside of a job nothing happens.

    Parameters
    ----------
    done : float
        What is done, in any unit.
    total : float, optional
        What there is to do, in the same unit.
    message : str, optional
        What it is at, in a few words.
    """
    if _reporter is not None:
        elapsed = time.monotonic() - _reporter.began
        rate = float(done) / elapsed if elapsed > 0 and done else None
        text = None if message is None else str(message)
        _reporter.show(0, Bar("", float(done), None if total is None else float(total), "", elapsed, rate), text)


def progress(iterable: Iterable[_Item], total: float | None = None, label: str = "") -> Iterator[_Item]:
    """Yield what an iterable yields, and say how far it is; outside of a job only that.

    Parameters
    ----------
    iterable : iterable
        What is looped over.
    total : float, optional
        How many there are; by default the iterable's length, if it has one.
    label : str
        What the loop does.
    """
    writer = _reporter
    if writer is None:
        yield from iterable
        return
    if total is None:
        with contextlib.suppress(Exception):
            total = len(iterable)  # type: ignore[arg-type] # asked for by trying
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
                due = now + _INTERVAL / 2
                show()
    finally:
        show()
        writer.close(who)
