"""Track which places are occupied: each process that has the store open shares the lock of its place.

A place whose locks can all be taken is gone.

A state folder belongs to the processes that can hold its locks. A free lock proves that a place is gone only if a lock would
reach every process there; otherwise only the end of its boot proves it, or nothing does, and a user has to confirm it.
"""

import contextlib
import errno
import os
from collections.abc import Iterator

from ..errors import StoreError
from ..system import filesystem, identity, lock, place, worker
from ..system.filesystem import Locks
from ..system.lock import FileLock
from ..system.place import Place
from . import attempt
from .folder import StateFolder
from .reports import StartMarker

#: Longest time that another process may hold this place's lock exclusively, in seconds, to check whether the place is occupied.
_LONGEST_CHECK = 60.0

#: Temporary errors, which say nothing about what is checked.
PASSING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)


class Occupancy:
    """This process's share in its place's lock, for the lifetime of this object.

    Parameters
    ----------
    held : FileLock
        The lock.
    """

    _held: FileLock | None = None  #: none yet if an interrupt has stopped the making of this object

    def __init__(self, held: FileLock) -> None:
        self._pid = os.getpid()
        self._held = held

    def close(self) -> None:
        """Leave the place; a fork of the process leaves the lock alone."""
        held, self._held = self._held, None
        if held is not None and self._pid == os.getpid():
            held.close()

    __del__ = close


def enter(folder: StateFolder) -> Occupancy:
    """Occupy this place.

    Raises
    ------
    StoreError
        If the file system has no locks, or another process holds the place's lock exclusively and does not release it.
    OSError
        If the folder can't be written to.
    """
    try:
        held = FileLock.share(folder.occupancy_lock(place.here()), _LONGEST_CHECK)
    except OSError as error:
        if error.errno in lock.NO_LOCKS:
            raise _without_locks(folder) from error
        raise
    if held is None:
        raise StoreError(
            f"The store in {folder.path} can't be opened: another process has been checking for more than "
            f"{_LONGEST_CHECK:.0f} s whether it is in use. That process may be stopped: continue or kill it, then try again."
        )
    if not held.has_record_locks():
        held.close()
        raise _without_locks(folder)
    return Occupancy(held)


def _without_locks(folder: StateFolder) -> StoreError:
    return StoreError(
        f"The state folder {folder.path} can't be used: a store needs file locks, which do not work on its file system, "
        f"{filesystem.describe(folder.path)}. Set BackgroundJobs.state_dir or IPYBGJOBS_STATE_DIR to a folder on a "
        "local disk. Nothing was submitted."
    )


def is_alive(folder: StateFolder, key: str) -> bool:
    """Return whether processes of a place appear to be alive; False if that can't be determined."""
    return any(lock.is_held(path, shared=True) for path in _locks(folder, key))


def is_answered(folder: StateFolder, key: str) -> bool:
    """Return whether a request to a place's jobs is answered: it is this place, or its supervisor appears to run."""
    return key == place.here() or lock.is_held(folder.supervisor_lock(key))


@contextlib.contextmanager
def locked_if_gone(folder: StateFolder, other: Place) -> Iterator[bool]:
    """Yield whether a place is certainly gone; while the block runs, none of its processes can enter."""
    with contextlib.ExitStack() as held:
        gone = place.is_over(other, place.current(folder.path))
        with contextlib.suppress(OSError):  # no room for a lock: nothing is proved
            gone = gone or (reaches(folder.path, other) and _take(folder, other, held))
        yield gone


def _take(folder: StateFolder, other: Place, held: contextlib.ExitStack) -> bool:
    """Take all locks of a place, if they are free."""
    for path in _locks(folder, other.key if other.boot else other.host):
        taken = FileLock.acquire(path, wait=False)
        if taken is None:
            return False
        held.callback(taken.close)
        if worker.is_held_alive(path):  # by a lock over a network
            return False
    return True


def _locks(folder: StateFolder, key: str) -> list[str]:
    return [folder.occupancy_lock(key), folder.supervisor_lock(key), folder.next_lock(key)]


def reaches(path: str, other: Place) -> bool:
    """Return whether a lock held by a process of another place in a folder would be visible here."""
    now, locks = place.current(path), filesystem.locks(path)
    if locks is Locks.EVERYWHERE:
        return True
    if other.boot is None:
        return other.host == now.host  # from an older version, which knew only host names
    same = now.device is not None and other.device == now.device
    return other.boot == now.boot and (locks is Locks.KERNEL or same)


def of_attempt(started: StartMarker) -> Place:
    """Return where an attempt was started, from its start marker; an older version's says less."""
    boot = None if started.process is None else started.process[2]
    known = place.key(boot, started.pid_namespace) if boot and started.pid_namespace else ""
    return Place(known, started.host, boot, started.pid_namespace, started.machine, started.device)


def is_here(started: StartMarker) -> bool:
    """Return whether an attempt was started in this place, according to its start marker, which a job may have damaged."""
    if started.pid_namespace is None:
        return True
    boot = identity.boot() if started.process is None else started.process[2]
    return place.key(boot, started.pid_namespace) == place.here()


def is_attempt_gone(folder: str, started: StartMarker) -> bool:
    """Return whether the process of an attempt elsewhere is certainly gone.

    Parameters
    ----------
    folder : str
        The attempt folder.
    started : StartMarker
        Its start marker, whose lock the process holds if it could take it.
    """
    other = of_attempt(started)
    if place.is_over(other, place.current(folder)):
        return True
    return started.held and reaches(folder, other) and not is_attempt_held(folder)


def is_attempt_held(folder: str) -> bool:
    """Return whether a living process holds an attempt's start marker; True also if that can't be determined."""
    try:
        return worker.is_held_alive(f"{folder}/{attempt.STARTED}")
    except OSError as error:
        return error.errno in PASSING
