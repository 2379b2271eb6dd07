"""A lock that is held until its holder's process is gone, whatever ends it.

On POSIX it is a `flock`, a property of the open file, so it can be handed to a process that is started with the descriptor.
Elsewhere: a file opened without sharing. A lock on a file that was removed meanwhile is worthless, and is taken again.
"""

import contextlib
import errno
import fcntl
import os
import time
from _weakref import ref  # weakref loads more, and every fork of a fork server would carry it
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import NamedTuple, Self

_PRIVATE = 0o600

#: Bytes of each of the two numbers in a holder's signature.
_WIDTH = 20

#: The locks that this process holds exclusively, by `id`.
_exclusive: "dict[int, ref[FileLock]]" = {}
#: Error numbers of locking on a file system without locks.
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)

#: Seconds between two tries to share a lock that another process briefly holds exclusively.
_PAUSE = 0.01


class LockHolder(NamedTuple):
    """The data that the holder of a lock has written to its file."""

    pid: int
    due: float | None = None  #: when it will report again at the latest, on the monotonic clock; None: it has not promised


class FileLock:
    """A lock on a file.

    Parameters
    ----------
    descriptor : int
        The locked file.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    def acquire(cls, path: str, *, wait: bool) -> Self | None:
        """Take the lock exclusively; None if another process holds it and `wait` is false."""
        taken = cls._taken(path, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        if taken is not None:
            _exclusive[id(taken)] = ref(taken)
        return taken

    @classmethod
    def share(cls, path: str, seconds: float) -> Self | None:
        """Take the lock shared; None if another process holds it exclusively for the given number of seconds."""
        limit = time.monotonic() + seconds
        while (taken := cls._taken(path, fcntl.LOCK_SH | fcntl.LOCK_NB)) is None and time.monotonic() < limit:
            time.sleep(_PAUSE)
        return taken

    @classmethod
    def _taken(cls, path: str, how: int) -> Self | None:
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)
            try:
                if os.fstat(descriptor).st_mode & _PRIVATE != _PRIVATE:
                    os.fchmod(descriptor, _PRIVATE)  # the umask has removed the owner's rights, so it could not be opened again
                fcntl.flock(descriptor, how)
                if _is_at(path, descriptor):
                    return cls(descriptor)
            except BlockingIOError:
                os.close(descriptor)
                return None
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def has_record_locks(self) -> bool:
        """Return whether the file system also supports record locks, which databases use: locks on a part of a file."""
        try:
            fcntl.lockf(self.descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            fcntl.lockf(self.descriptor, fcntl.LOCK_UN)
        except OSError as error:
            return error.errno not in NO_LOCKS
        return True

    def write_holder(self, due: float | None = None) -> None:
        """Write this process's PID to the file, so that others can find the holder.

        Parameters
        ----------
        due : float, optional
            When this process will report again at the latest, in seconds on the monotonic clock.
        """
        text = f"{os.getpid():<{_WIDTH}}{'' if due is None else f'{due:.3f}':<{_WIDTH}}"
        with contextlib.suppress(OSError):  # a full disk: the lock holds, but its holder can't be named
            os.pwrite(self.descriptor, text.encode(), 0)

    @contextlib.contextmanager
    def handed_over(self) -> Iterator[int]:
        """Provide another descriptor of the locked file, for a process started meanwhile: it survives a fork in between.

        A library may start processes with its own fork (gevent, or a ``preexec_fn``), and a fork drops its parent's locks.
        """
        descriptor = os.dup(self.descriptor)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Drop this process's hold; a process that was given the descriptor keeps the lock."""
        _exclusive.pop(id(self), None)
        if self.descriptor >= 0:  # else this is a fork of its holder
            os.close(self.descriptor)
            self.descriptor = -1

    def __del__(self) -> None:
        _exclusive.pop(id(self), None)


def _drop_inherited() -> None:
    """Drop exclusive locks in a fork: others would wait for the end of a process that knows nothing of the lock."""
    for held in (reference() for reference in list(_exclusive.values())):
        if held is not None:
            held.close()


os.register_at_fork(after_in_child=_drop_inherited)


#: Whether the next fork leaves open what others are closed around.
_is_left_open: ContextVar[bool] = ContextVar("_is_left_open", default=False)


def around_forks(
    before: Callable[[], object], after_in_parent: Callable[[], object], after_in_child: Callable[[], object]
) -> None:
    """Call functions around each fork of this process, so that what holds locks which no fork inherits can be closed."""

    def unless_left_open(call: Callable[[], object]) -> Callable[[], object]:
        return lambda: None if _is_left_open.get() else call()

    os.register_at_fork(
        before=unless_left_open(before),
        after_in_parent=unless_left_open(after_in_parent),
        after_in_child=unless_left_open(after_in_child),
    )


@contextlib.contextmanager
def leaving_open() -> Iterator[None]:
    """Fork without these calls: for a fork that closes all descriptors at once, and whose end finalizes nothing."""
    token = _is_left_open.set(True)
    try:
        yield
    finally:
        _is_left_open.reset(token)


def _is_at(path: str, descriptor: int) -> bool:
    """Return whether an open file is still the one at a path."""
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(descriptor))


def is_held(path: str, *, shared: bool = False) -> bool:
    """Return whether a living process holds the lock exclusively, or, with `shared`, at all.

    It takes nothing that could block another process for longer than the check.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if shared else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def read_holder(path: str) -> LockHolder | None:
    """Return the signature of a lock's holder; None if no process holds it, or if the holder has not signed yet."""
    if not is_held(path):
        return None
    with open(path, "rb") as file:
        pid, due = file.read(_WIDTH).strip(), file.read(_WIDTH).strip()
    if not pid.isdigit():
        return None
    return LockHolder(int(pid), float(due) if due.replace(b".", b"", 1).isdigit() else None)


def holder_pid(path: str) -> int | None:
    """Return the PID in the signature of a lock's holder; None as for `read_holder`."""
    found = read_holder(path)
    return None if found is None else found.pid


def writer_of(path: str, byte: int) -> int | None:
    """Return the PID of the process that holds a record lock for writing on a byte of a file, according to ``/proc/locks``.

    The file is not opened, since closing it would drop the record locks that this process itself holds on it.
    """
    try:
        inode = os.stat(path).st_ino
        with open("/proc/locks", encoding="ascii") as file:
            lines = [line.split() for line in file]
    except OSError:
        return None
    held = [line for line in lines if line[1:2] == ["POSIX"] and line[3] == "WRITE" and line[5].endswith(f":{inode}")]
    return next((int(line[4]) for line in held if int(line[6]) <= byte and int(line[4]) > 0), None)
