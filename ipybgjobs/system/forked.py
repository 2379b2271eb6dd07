"""Give a fork of this process another role: as good as a new process of the same interpreter, at a tenth of its price.

The fork has a session of its own, the descriptors that it is given and no others, and the command line of its role, by which
users and this package find it. What its parent has loaded stays loaded, so it is for code that runs no differently for it.
Linux; where a process can't be forked safely or its command line can't be changed, the command is executed instead.
"""

import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

from . import exit_status, identity, lock

#: Seconds between two checks of a fork that is waited for.
_INTERVAL = 0.005

#: The descriptor of the error output.
_LAST_STREAM = 2

#: Fields of ``/proc/self/stat`` that say where the command line begins and ends, counted from the one after the name.
_BEGIN, _END = 45, 46


class ForkedProcess:
    """A fork, with the part of `subprocess.Popen` that its parent uses.

    Parameters
    ----------
    pid : int
        Its PID.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None  #: its exit status, negative if a signal ended it; None while it runs

    def poll(self) -> int | None:
        """Reap it if it has ended, and return its exit status; None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                code, number = exit_status.decode(status)
                self.returncode = code if number is None else -number
        return self.returncode

    def wait(self) -> int:
        """Wait until it has ended, and return its exit status."""
        while (status := self.poll()) is None:
            time.sleep(_INTERVAL)
        return status

    def kill(self) -> None:
        """Kill it, if it has not been reaped."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def is_possible() -> bool:
    """Return whether this process can be forked into another role."""
    return sys.platform == "linux" and identity.is_single_threaded()


def start(command: Sequence[str], run: Callable[[], None], streams: tuple[int, int, int], kept: int) -> ForkedProcess:
    """Fork this process.

    Parameters
    ----------
    command : sequence of str
        The command that would start the same role: its command line, and executed if that can't be changed.
    run : callable
        What the fork does instead; the fork ends when it returns.
    streams : tuple of int
        The descriptors of its standard input, output and error output, all above 2.
    kept : int
        Another descriptor that it keeps, under the same number.

    Raises
    ------
    OSError
        If this process can't be forked.
    """
    sys.stderr.flush()
    with lock.leaving_open():
        pid = os.fork()
    return _become(command, run, streams, kept) if pid == 0 else ForkedProcess(pid)


def _become(command: Sequence[str], run: Callable[[], None], streams: tuple[int, int, int], kept: int) -> NoReturn:
    status = 1
    try:
        is_renamed = _renamed(command)  # at once, so that it is not taken for its parent
        gc.freeze()  # what the parent holds is never finalized here: it belongs to the parent
        gc.enable()
        os.setsid()
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number)
        _close_all_but(kept)
        if not is_renamed:
            os.set_inheritable(kept, True)
            os.execv(command[0], list(command))
        sys.argv[:] = command[1:]
        run()
        status = 0
    except SystemExit as error:
        status = _status(error)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)


def _status(error: SystemExit) -> int:
    """Return the exit status of an end by `sys.exit`, and print its message, as an interpreter does."""
    if error.code is None or isinstance(error.code, int):
        return error.code or 0
    sys.stderr.write(f"{error.code}\n")
    return 1


def _close_all_but(kept: int) -> None:
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        if number > _LAST_STREAM and number != kept:
            try:
                os.close(number)
            except OSError:  # that of the listing itself
                continue


def _renamed(command: Sequence[str]) -> bool:
    """Overwrite the command line of this process, as ``ps`` shows it; return whether it was possible."""
    text = b"\0".join(map(os.fsencode, command)) + b"\0"
    try:
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        begin, end = int(fields[_BEGIN]), int(fields[_END])
        if begin == 0 or len(text) > end - begin:
            return False
        with open("/proc/self/mem", "r+b", buffering=0) as memory:
            memory.seek(begin)
            memory.write(text.ljust(end - begin, b"\0"))
    except (OSError, ValueError, IndexError):
        return False
    return True
