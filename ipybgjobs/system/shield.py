"""Work that an interrupt can't break: a thread of its own does it, whole or not at all, while the caller waits.

Python raises KeyboardInterrupt in the main thread between any two steps, also within a clean-up; so what must be whole is never
done there. Whoever is interrupted while it waits either gives the work up, which undoes it, or comes too late: then the work is
finished, and the exception says what was done. This module knows neither jobs nor stores.
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

#: Longest that an interrupted caller waits until what it gave up is undone, in seconds; then it is undone behind its back.
UNDONE_WITHIN = 1.0

#: What was done lately: a number that grows, the thread that had asked for it, a sentence.
_done: deque[tuple[int, int, str]] = deque(maxlen=256)
_numbers = itertools.count()

_doing = threading.local()  #: in the thread that does it: the work


class GivenUp(BaseException):
    """Whoever asked for this work was interrupted before anything was decided: it is undone."""


class _Work(Generic[_Value]):
    """One effect, from its hand-over to its end.

    Both locks only ever go one way, so that an interrupt between any two steps leaves neither in a wrong state.
    """

    def __init__(self, effect: Callable[[], _Value], said: Callable[[_Value], str | None]) -> None:
        self._effect = effect
        self._said = said
        self._asker = get_ident()
        self._decision = allocate_lock()  # whoever takes it first, the work or its caller, has decided; it is never given back
        self._end = allocate_lock()  # held until the work has ended
        self._end.acquire()
        self._decided = False  # by the work: it is past its point of no return
        self._ended = False
        self._values: list[_Value] = []
        self.error: BaseException | None = None

    def do(self) -> None:
        """Do it; what it raises is kept for the caller."""
        _doing.work = self
        try:
            value = self._effect()
            self._values.append(value)
            _note(self._asker, self._said(value))
        except BaseException as error:
            self.error = error
            if self._decided and not isinstance(error, GivenUp):
                _note(self._asker, str(error))
        finally:
            _doing.work = None
            self._ended = True
            self._end.release()

    def decide(self) -> None:
        """Pass the point of no return, or find that the caller has given up."""
        if not self._decided and not self._decision.acquire(blocking=False):
            raise GivenUp
        self._decided = True

    def check(self) -> None:
        """Go no further if the caller has given up."""
        if self._decision.locked() and not self._decided:
            raise GivenUp

    def outcome(self) -> _Value:
        """Wait for the end, and return what came of it, or raise it."""
        self.wait()
        if self.error is not None:
            raise self.error
        return self._values[0]

    def wait(self, seconds: float = -1) -> bool:
        """Wait for the end; False if it does not come in so many seconds."""
        return self._ended or self._end.acquire(timeout=seconds)

    def leave(self) -> None:
        """The caller was interrupted: give the work up, or wait for its end if it is too late for that."""
        if self._decision.acquire(blocking=False):
            _let_undo()
        else:
            self.wait()


class _Hand:
    """A thread that does one work after the other; a process has one, and a fork of it makes its own."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.works: SimpleQueue[_Work[Any] | None] = SimpleQueue()
        start_new_thread(self._do_all, ())  # a Thread's start takes locks in the caller, which an interrupt would leave held

    def _do_all(self) -> None:
        while (work := self.works.get()) is not None:
            work.do()
            del work  # and with it what it holds, which may be large


_hand: _Hand | None = None


def _hand_over(work: _Work[Any]) -> None:
    global _hand  # noqa: PLW0603 - one a process
    hand = _hand
    if hand is None or hand.pid != os.getpid():
        try:
            hand = _hand = _Hand()
        except RuntimeError:  # no thread is to be had, since the interpreter ends or a limit is reached
            work.do()
            return
    hand.works.put(work)


def _let_undo() -> None:
    """Wait a moment until what was given up is undone; one that hangs (a lock, a slow disk) is in nobody's way after."""
    global _hand  # noqa: PLW0603 - one a process
    hand = _hand
    if hand is None or hand.pid != os.getpid():
        return
    after_it = _Work[None](lambda: None, lambda _: None)
    hand.works.put(after_it)
    if not after_it.wait(UNDONE_WITHIN):
        _hand = None
        hand.works.put(None)


def _note(asker: int, sentence: str | None) -> None:
    if sentence is not None:
        _done.append((next(_numbers), asker, sentence))


def decide() -> None:
    """Say, inside of an effect, that from here on it counts: what comes next can't be undone.

    Raises
    ------
    GivenUp
        If whoever waited for it was interrupted before.
    """
    work: _Work[Any] | None = getattr(_doing, "work", None)
    if work is not None:
        work.decide()


def check() -> None:
    """Go no further, inside of an effect that takes long, if nobody waits for it any more.

    Raises
    ------
    GivenUp
        If whoever waited for it was interrupted.
    """
    work: _Work[Any] | None = getattr(_doing, "work", None)
    if work is not None:
        work.check()


def told(function: Callable[_Given, _Value]) -> Callable[_Given, _Value]:
    """Let an interrupt of a function say what was done in it by then: ``KeyboardInterrupt: job 12 was submitted``."""

    @functools.wraps(function)
    def telling(*args: _Given.args, **kwargs: _Given.kwargs) -> _Value:
        since = next(_numbers)
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            _tell(error, since)
            raise

    return telling


def _tell(error: BaseException, since: int) -> None:
    asker = get_ident()
    said = "; ".join(dict.fromkeys(text for number, thread, text in tuple(_done) if number > since and thread == asker))
    if isinstance(error, Exception) and said == str(error):
        return  # the effect's own
    if isinstance(error, KeyboardInterrupt) and str(error) in said:  # it says nothing yet, or a part of it
        error.args = (said,) if said else ()
    elif said and said not in getattr(error, "__notes__", []):
        error.add_note(said)


@told
def run(effect: Callable[[], _Value], said: Callable[[_Value], str | None] = lambda _: None) -> _Value:
    """Do something whole or not at all, whatever interrupts the caller, and return what came of it.

    Threads other than the main one are never interrupted, and do it themselves.

    Parameters
    ----------
    effect : callable
        All of it, clean-up included. It calls `decide` before what can't be undone.
    said : callable
        Told what came of it, returns a sentence for an interrupt that comes too late; None where there is nothing to say.

    Raises
    ------
    BaseException
        What the effect raises; or what interrupts the caller, once the effect is undone, or finished.
    """
    if get_ident() != threading.main_thread().ident:
        return effect()
    work = _Work(effect, said)
    try:
        _hand_over(work)
        return work.outcome()
    except BaseException as error:
        if error is not work.error:
            work.leave()
        raise
