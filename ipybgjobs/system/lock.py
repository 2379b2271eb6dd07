"""A lock that is held until its holder's process has gone, whatever ends it.

On POSIX a `flock`; it is a property of the open file, so it can be handed to a process that is started with the descriptor.
Elsewhere: a file opened without sharing. A lock on a file that was removed meanwhile counts for nothing, and is taken anew.
"""

import contextlib
import errno
import fcntl
import os
import time
from _weakref import ref  # weakref itself loads more, which every fork of a fork server would bear
from collections.abc import Callable, Iterator
from typing import NamedTuple, Self

_PRIVATE = 0o600

#: Bytes of each of the two numbers that a holder signs with.
_WIDTH = 20

#: What this process holds alone, by its `id`.
_alone: "dict[int, ref[FileLock]]" = {}
#: What a lock answers on a file system that has none: numbers of errors.
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)

#: Seconds between two tries to share a lock that another holds alone for a moment.
_PAUSE = 0.01


class Signature(NamedTuple):
    """What the holder of a lock has written into its file."""

    pid: int
    due: float | None = None  #: when it is to be heard of again at the latest, on the monotonic clock; None: it has not said so


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
        """Take the lock alone; None if somebody else holds it and `wait` is false."""
        taken = cls._taken(path, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        if taken is not None:
            _alone[id(taken)] = ref(taken)
        return taken

    @classmethod
    def share(cls, path: str, seconds: float) -> Self | None:
        """Take the lock beside others that share it; None if one holds it alone for all of so many seconds."""
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
                    os.fchmod(descriptor, _PRIVATE)  # an odd umask has taken the owner's rights: nobody could open it again
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
        """Whether the file system has the other kind of lock, too: on a part of a file, as a database takes them."""
        try:
            fcntl.lockf(self.descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            fcntl.lockf(self.descriptor, fcntl.LOCK_UN)
        except OSError as error:
            return error.errno not in NO_LOCKS
        return True

    def sign(self, due: float | None = None) -> None:
        """Write this process's PID into the file, for those who ask whose it is.

        Parameters
        ----------
        due : float, optional
            When this process is to be heard of again at the latest, in seconds on the monotonic clock.
        """
        text = f"{os.getpid():<{_WIDTH}}{'' if due is None else f'{due:.3f}':<{_WIDTH}}"
        with contextlib.suppress(OSError):  # a full disk: the lock holds, only nobody can name its holder
            os.pwrite(self.descriptor, text.encode(), 0)

    @contextlib.contextmanager
    def handed_over(self) -> Iterator[int]:
        """Another descriptor of the locked file, for a process that is started meanwhile: it survives a fork on the way.

        A library may start processes by a fork of its own (gevent, or a `preexec_fn`), and a fork drops what its parent holds.
        """
        descriptor = os.dup(self.descriptor)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Drop this process's hold; a process that was given the descriptor keeps the lock."""
        _alone.pop(id(self), None)
        if self.descriptor >= 0:  # else this is a fork of its holder
            os.close(self.descriptor)
            self.descriptor = -1

    def __del__(self) -> None:
        _alone.pop(id(self), None)


def _drop_inherited() -> None:
    """Let a fork hold nothing alone: others would wait for the end of a process that knows nothing of the lock."""
    for held in (reference() for reference in list(_alone.values())):
        if held is not None:
            held.close()


os.register_at_fork(after_in_child=_drop_inherited)


def around_forks(before: Callable[[], object], after_in_parent: Callable[[], object]) -> None:
    """Call functions around each fork of this process, so that what holds locks which no fork inherits can be closed."""
    os.register_at_fork(before=before, after_in_parent=after_in_parent)


def _is_at(path: str, descriptor: int) -> bool:
    """Whether an open file is still the one at a path."""
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(descriptor))


def is_held(path: str, *, shared: bool = False) -> bool:
    """Whether a living process holds the lock alone, or, with `shared`, at all.

    It takes nothing that another could miss for longer than the look.
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


def signature(path: str) -> Signature | None:
    """Return what the holder of a lock has signed with; None where nobody holds it, or it has not signed yet."""
    if not is_held(path):
        return None
    with open(path, "rb") as file:
        pid, due = file.read(_WIDTH).strip(), file.read(_WIDTH).strip()
    if not pid.isdigit():
        return None
    return Signature(int(pid), float(due) if due.replace(b".", b"", 1).isdigit() else None)


def holder(path: str) -> int | None:
    """Return the PID that the holder of a lock has signed with; None as for `signature`."""
    found = signature(path)
    return None if found is None else found.pid


def writer_of(path: str, byte: int) -> int | None:
    """Return the PID of the process that holds a record lock for writing on a byte of a file, as ``/proc/locks`` says.

    The file is not opened: closing it would drop the record locks that this very process holds on it.
    """
    try:
        inode = os.stat(path).st_ino
        with open("/proc/locks", encoding="ascii") as file:
            lines = [line.split() for line in file]
    except OSError:
        return None
    held = [line for line in lines if line[1:2] == ["POSIX"] and line[3] == "WRITE" and line[5].endswith(f":{inode}")]
    return next((int(line[4]) for line in held if int(line[6]) <= byte and int(line[4]) > 0), None)
