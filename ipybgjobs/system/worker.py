"""The setup of a worker's process, between its start and the user's code.

It resets inherited settings: an idle Jupyter kernel ignores SIGINT, and ignored signals pass through fork and exec.
"""

import atexit
import contextlib
import fcntl
import os
import resource
import signal
import sys
import time
import types

# Without the enumerations of `signal`, which cost each fork 50 pages.
from _signal import (  # type: ignore[import-not-found]
    SIG_DFL,
    SIG_IGN,
    default_int_handler,
)
from _signal import pthread_sigmask as set_mask
from _signal import signal as handle
from _thread import get_ident  # importing threading itself is not cheap
from collections.abc import Iterable, Iterator
from typing import NoReturn

from . import tree

#: The descriptor over which a worker reports to its reaper that it has begun; the only one that it inherits and keeps until then.
TELLING = 3

#: Precedes the number of the descriptor over which a worker reports that it has begun.
TELLS = "tells="

#: Length of one report; reading several never cuts one in two.
BYTES_OF_PID = 4

#: Numbers of signals, not members of enumerations.
_SIGINT, _SIGTERM, _SIGPIPE = int(signal.SIGINT), int(signal.SIGTERM), int(signal.SIGPIPE)
_BLOCK, _SET_MASK = int(signal.SIG_BLOCK), int(signal.SIG_SETMASK)

_RESET = tuple(map(int, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD, signal.SIGQUIT)))


def reset_signals() -> None:
    """Reset every signal that a parent may have changed to its default, and unblock all."""
    signal.set_wakeup_fd(-1)
    for number in _RESET:
        handle(number, SIG_DFL)
    handle(_SIGPIPE, SIG_IGN)  # as python itself starts: EPIPE is an exception
    handle(_SIGINT, default_int_handler)
    set_mask(_SET_MASK, ())


class Terminated(SystemExit):
    """Raised on SIGTERM: unwinds the running code like `sys.exit`, and is distinguishable from a call of it."""

    def __str__(self) -> str:
        return "the process was sent SIGTERM"


def unwind_on_terminate() -> None:
    """Make SIGTERM unwind the job's code like `sys.exit`, so that ``finally`` runs and the tree stays complete.

    A child that forks without exec is ended by it, as it would be anywhere, even right after the fork, when Python forgets
    signals that it has not handled yet: so the signal is blocked meanwhile.
    """

    def handler(number: int, _frame: types.FrameType | None) -> None:
        raise Terminated(128 + number)

    masks: dict[int, set[int]] = {}  # by thread, since several may fork at once

    def before_fork() -> None:
        masks[get_ident()] = set_mask(_BLOCK, (_SIGTERM,))

    def in_parent() -> None:
        set_mask(_SET_MASK, masks.pop(get_ident()))

    def in_child() -> None:
        if signal.getsignal(signal.SIGTERM) is handler:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        set_mask(_SET_MASK, masks.pop(get_ident()))

    handle(_SIGTERM, handler)
    os.register_at_fork(before=before_fork, after_in_parent=in_parent, after_in_child=in_child)


def use_time_zone() -> None:
    """Have the C library take the time zone from this process's environment variables as they are now."""
    time.tzset()


@contextlib.contextmanager
def signals_deferred() -> Iterator[None]:
    """Delay interrupts and termination until the end of a block; only for short blocks."""
    before = set_mask(_BLOCK, (_SIGINT, _SIGTERM))
    try:
        yield
    finally:
        set_mask(_SET_MASK, before)


def new_session() -> None:
    """Leave the parent's session and process group."""
    os.setsid()


def read_nothing() -> None:
    """Make standard input read nothing, here and in the forks of this process."""
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(nothing, 0)
    os.close(nothing)


def redirect_output(path: str, reserve: "Reserve") -> None:
    """Append descriptors 1 and 2, including output of C code and children, to a file; close all others but a few.

    Parameters
    ----------
    path : str
        The file.
    reserve : Reserve
        Its descriptors stay open, and so do standard input and the one for the report.
    """
    log = _open_log(path)
    os.dup2(log, 1)
    os.dup2(log, 2)
    reserve.close_others(TELLING + 1)


def _open_log(path: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    try:
        return os.open(path, flags | os.O_EXCL, 0o600)
    except FileExistsError:
        # It may be a pipe that a job has put in its place: opening it would block forever.
        is_other = os.path.exists(path) and not os.path.isfile(path)
        return os.open(os.devnull if is_other else path, flags, 0o600)


def tell_begun(descriptor: int | None) -> None:
    """Report over a pipe, which is then closed, that this process has begun; nothing that a job does to its files can undo that.

    Parameters
    ----------
    descriptor : int or None
        The pipe; None if no process is listening.
    """
    if descriptor is None:
        return
    with contextlib.suppress(OSError):  # the launcher is gone, or has been stopped for so long that the pipe is full
        os.write(descriptor, os.getpid().to_bytes(BYTES_OF_PID, "little"))
    os.close(descriptor)


def hold_alive(descriptor: int) -> bool:
    """Hold a record lock on an open file for as long as this process lives, for processes that can't see its PID.

    Record locks are not inherited by a fork, so a remaining child does not make the worker appear alive.

    Returns
    -------
    bool
        Whether it is held; False on a file system without locks, where only processes that see the PID can tell.
    """
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_held_alive(path: str) -> bool:
    """Return whether a living process holds the file through `hold_alive`."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def linger_while_ending(path: str, longest: float = 60.0) -> None:
    """Stay while the attempt is being ended and children are left, as the root of the tree that the supervisor is ending.

    Parameters
    ----------
    path : str
        File that exists while the attempt is being ended.
    longest : float
        Longest time to stay, in seconds, since the supervisor may have died.
    """
    limit = time.monotonic() + longest
    while os.path.exists(path) and tree.has_children() and time.monotonic() < limit:
        time.sleep(0.02)


class Reserve:
    """Descriptors and address space kept in reserve, so that a job that has used up the rest can still report how it ended.

    Limits that the job has lowered meanwhile are raised again as far as the kernel permits. A fork server opens the descriptors
    once for all its forks.
    """

    #: Descriptors that a traceback and a pickle open at once, with a margin; bytes, which are never touched and so cost nothing.
    _DESCRIPTORS, _BYTES = 16, 8 << 20

    #: The limits that can keep a process from writing.
    _OF_WRITING = (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_AS, resource.RLIMIT_DATA)

    def __init__(self) -> None:
        self._space = b""
        self._limits: dict[int, tuple[int, int]] = {}
        self._ranges = _ranges(_nothings(self._DESCRIPTORS))

    def hold(self) -> None:
        """Begin to hold the reserve in this process."""
        self._limits = {which: resource.getrlimit(which) for which in self._OF_WRITING}
        with contextlib.suppress(MemoryError):
            self._space = bytes(self._BYTES)

    def close_others(self, first: int) -> None:
        """Close every descriptor from `first` on that does not belong to it."""
        for begin, end in self._ranges:
            os.closerange(first, begin)
            first = max(first, end)
        os.closerange(first, 1 << 20)

    def release(self) -> None:
        """Release the reserve."""
        self._space = b""
        for which, before in self._limits.items():
            self._raise(which, before)
        for begin, end in self._ranges:  # those that the job has closed are skipped
            os.closerange(begin, end)
        self._ranges = []

    @staticmethod
    def _raise(which: int, before: tuple[int, int]) -> None:
        """Restore a limit; if its hard limit was lowered and can't be raised again, set it to the hard limit."""
        now = resource.getrlimit(which)
        for wanted in () if now == before else (before, (now[1], now[1])):
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(which, wanted)
                return


def _nothings(count: int) -> list[int]:
    """Open a number of descriptors, none of which is that of the report; fewer if there are no more."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        while len(found) - (TELLING in found) < count:
            found.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    if TELLING in found:
        found.remove(TELLING)
        os.close(TELLING)
    return found


def _ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Return ascending numbers as ranges, each with its first number and the one after its last."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number:
            found[-1] = (found[-1][0], number + 1)
        else:
            found.append((number, number + 1))
    return found


def leave_fork(error: BaseException | None) -> NoReturn:
    """Exit a fork of a worker as Python would: with its exception on standard error, and the matching exit status."""
    code = 0
    if isinstance(error, SystemExit):
        code = _exit_code(error.code)
    elif error is not None:
        code = 1
        with contextlib.suppress(BaseException):
            sys.excepthook(type(error), error, error.__traceback__)
    _finish()
    if isinstance(error, KeyboardInterrupt):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(code)


def _exit_code(code: object) -> int:
    """Return the status of ``sys.exit(code)``; a code that is not a number is printed."""
    if code is None or isinstance(code, int):
        return (code or 0) & 0xFF
    with contextlib.suppress(BaseException):
        sys.stderr.write(f"{code}\n")
    return 1


def _pending_exit_handlers() -> int:
    return atexit._ncallbacks()  # noqa: SLF001 - as `os._exit` skips them, they are run here


def leave(code: int, grace: float) -> NoReturn:
    """Exit this process as Python would, at the latest after `grace` seconds.

    Threads are awaited, exit handlers run, streams are flushed. Anything that does not end is shown in the log.
    """
    threading = sys.modules.get("threading")
    if _pending_exit_handlers() or (threading and threading.active_count() > 1):
        import faulthandler

        with contextlib.suppress(Exception):
            faulthandler.dump_traceback_later(max(grace, 0.001), exit=True, file=2)
    _finish()
    os._exit(code)


def _finish() -> None:
    """Wait for threads, run exit handlers, flush streams."""
    threading = sys.modules.get("threading")
    for last in (getattr(threading, "_shutdown", None), atexit._run_exitfuncs):  # noqa: SLF001 - as above
        with contextlib.suppress(BaseException):
            if last is not None:
                last()
    for name in ("stdout", "stderr"):
        with contextlib.suppress(BaseException):  # including a deleted stream
            getattr(sys, name).flush()
