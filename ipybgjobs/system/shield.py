"""Run work that an interrupt can't break: in a separate thread, whole or not at all, while the caller waits.

Python raises KeyboardInterrupt in the main thread between any two steps, even in clean-up; so work that must be whole is never
done there. A caller that is interrupted while it waits either cancels the work, which undoes it, or comes too late: then the work
is finished, and the exception says what was done. This module knows nothing of jobs or stores.
"""

import functools
import itertools
import os
import threading
from _thread import allocate_lock, get_ident, start_new_thread
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, ParamSpec, TypeVar

_Value = TypeVar("_Value")
_Given = ParamSpec("_Given")

#: Longest time that an interrupted caller waits for the undo of its work, in seconds; after that, the undo goes on without it.
UNDONE_WITHIN = 1.0

#: The last effects: a growing number, the thread that requested each, a sentence.
_done: deque[tuple[int, int, str]] = deque(maxlen=256)
_numbers = itertools.count()

_doing = threading.local()  #: in the thread that does it: the work


class WorkAbandoned(BaseException):
    """The caller was interrupted before the point of no return: the work is undone."""


class _Work(Generic[_Value]):
    """One effect, from its hand-over to its end.

    Both locks only ever go one way, so that an interrupt between any two steps leaves neither in a wrong state.
    """

    def __init__(self, effect: Callable[[], _Value], said: Callable[[_Value], str | None]) -> None:
        self._effect = effect
        self._said = said
        self._asker = get_ident()
        self._decision = allocate_lock()  # the first to take it, the work or its caller, decides; it is never released
        self._end = allocate_lock()  # held until the work has ended
        self._end.acquire()
        self._decided = False  # by the work: it is past its point of no return
        self._ended = False
        self._values: list[_Value] = []
        self.error: BaseException | None = None

    def do(self) -> None:
        """Run the effect; its exception is kept for the caller."""
        _doing.work = self
        try:
            value = self._effect()
            self._values.append(value)
            _note(self._asker, self._said(value))
        except BaseException as error:
            self.error = error
            if self._decided and not isinstance(error, WorkAbandoned):
                _note(self._asker, str(error))
        finally:
            _doing.work = None
            self._ended = True
            self._end.release()

    def decide(self) -> None:
        """Pass the point of no return, or raise if the caller has cancelled the work."""
        if not self._decided and not self._decision.acquire(blocking=False):
            raise WorkAbandoned
        self._decided = True

    def check(self) -> None:
        """Stop if the caller has cancelled the work."""
        if self._decision.locked() and not self._decided:
            raise WorkAbandoned

    def outcome(self) -> _Value:
        """Wait for the end, and return the result, or raise the exception."""
        self.wait()
        if self.error is not None:
            raise self.error
        return self._values[0]

    def wait(self, seconds: float = -1) -> bool:
        """Wait for the end; False if it does not come within the time."""
        return self._ended or self._end.acquire(timeout=seconds)

    def abandon(self) -> None:
        """Handle an interrupt of the caller: cancel the work, or wait for its end if it is too late for that."""
        if self._decision.acquire(blocking=False):
            _wait_for_undo()
        else:
            self.wait()


class _WorkThread:
    """A thread that does one piece of work after another; each process has one, and a fork makes its own."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.works: SimpleQueue[_Work[Any] | None] = SimpleQueue()
        start_new_thread(self._work, ())  # Thread.start takes locks in the caller, which an interrupt would leave held

    def _work(self) -> None:
        while (work := self.works.get()) is not None:
            work.do()
            del work  # and what it holds, which may be large


_work_thread: _WorkThread | None = None


def _hand_to_thread(work: _Work[Any]) -> None:
    global _work_thread  # noqa: PLW0603 - one a process
    thread_of_work = _work_thread
    if thread_of_work is None or thread_of_work.pid != os.getpid():
        try:
            thread_of_work = _work_thread = _WorkThread()
        except RuntimeError:  # no thread is available: the interpreter is ending, or a limit is reached
            work.do()
            return
    thread_of_work.works.put(work)


def _wait_for_undo() -> None:
    """Wait a moment for cancelled work to be undone; work that hangs (a lock, a slow disk) is left behind."""
    global _work_thread  # noqa: PLW0603 - one a process
    thread_of_work = _work_thread
    if thread_of_work is None or thread_of_work.pid != os.getpid():
        return
    after_it = _Work[None](lambda: None, lambda _: None)
    thread_of_work.works.put(after_it)
    if not after_it.wait(UNDONE_WITHIN):
        _work_thread = None
        thread_of_work.works.put(None)


def _note(asker: int, sentence: str | None) -> None:
    if sentence is not None:
        _done.append((next(_numbers), asker, sentence))


def commit_point() -> None:
    """Mark, inside an effect, the point of no return: what comes next can't be undone.

    Raises
    ------
    WorkAbandoned
        If its caller was interrupted before.
    """
    work: _Work[Any] | None = getattr(_doing, "work", None)
    if work is not None:
        work.decide()


def check_abandoned() -> None:
    """Stop, inside a long effect, if its caller no longer waits for it.

    Raises
    ------
    WorkAbandoned
        If its caller was interrupted.
    """
    work: _Work[Any] | None = getattr(_doing, "work", None)
    if work is not None:
        work.check()


def explains_interrupts(function: Callable[_Given, _Value]) -> Callable[_Given, _Value]:
    """Make an interrupt of a function say what was already done: ``KeyboardInterrupt: job 12 was submitted``."""

    @functools.wraps(function)
    def telling(*args: _Given.args, **kwargs: _Given.kwargs) -> _Value:
        since = next(_numbers)
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            _explain(error, since)
            raise

    return telling


def _explain(error: BaseException, since: int) -> None:
    asker = get_ident()
    said = "; ".join(dict.fromkeys(text for number, thread, text in tuple(_done) if number > since and thread == asker))
    if isinstance(error, Exception) and said == str(error):
        return  # the effect's own
    if isinstance(error, KeyboardInterrupt) and str(error) in said:  # it has no message yet, or only part of it
        error.args = (said,) if said else ()
    elif said and said not in getattr(error, "__notes__", []):
        error.add_note(said)


@explains_interrupts
def run(effect: Callable[[], _Value], said: Callable[[_Value], str | None] = lambda _: None) -> _Value:
    """Run an effect whole or not at all, whatever interrupts the caller, and return its result.

    Threads other than the main one are never interrupted, and run it themselves.

    Parameters
    ----------
    effect : callable
        The whole effect, including clean-up. It calls `commit_point` before anything that can't be undone.
    said : callable
        Takes the result, and returns a sentence for an interrupt that comes too late; None if there is nothing to say.

    Raises
    ------
    BaseException
        The exception of the effect; or the one that interrupts the caller, once the effect is undone or finished.
    """
    if get_ident() != threading.main_thread().ident:
        return effect()
    work = _Work(effect, said)
    try:
        _hand_to_thread(work)
        return work.outcome()
    except BaseException as error:
        if error is not work.error:
            work.abandon()
        raise
