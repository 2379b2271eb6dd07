"""Make a supervisor check the store: wake the running one, or start one.

At most one process waits to become supervisor: it holds the next-lock from before its start until it listens. So no hint can be
lost: either a supervisor receives it, or one is about to check. A hint that was accepted does not prove that a supervisor is
alive: the socket of a killed one accepts hints for some milliseconds more. The lock proves it.
"""

import os

from ..system import launch, lock, place, wakeup
from ..system.lock import FileLock
from ..system.roles import command
from . import ownership
from .folder import StateFolder


def wake_or_start(folder: StateFolder) -> None:
    """Wake or start the supervisor of this place.

    Raises
    ------
    OSError
        If none runs and none can be started.
    StoreError
        If none runs, and the folder now belongs to another user.
    """
    if not _wake(folder):
        start(folder)


def ensure_running(folder: StateFolder) -> None:
    """Make sure that a supervisor of this place runs, while a process waits for a job."""
    if not lock.is_held(folder.supervisor_lock(place.here())):
        wake_or_start(folder)


def _wake(folder: StateFolder) -> bool:
    """Send a hint; return whether a process that holds the supervisor's lock can receive it."""
    return wakeup.send(folder.path) and lock.is_held(folder.supervisor_lock(place.here()))


def start(folder: StateFolder) -> None:
    """Start a supervisor, unless one is already starting.

    Raises
    ------
    OSError
        If none can be started.
    StoreError
        If the folder now belongs to another user: nothing is created in it (see `ownership`).
    """
    ownership.check(folder.path)
    while True:
        next_lock = FileLock.acquire(folder.next_lock(place.here()), wait=False)
        if next_lock is None:
            return
        try:
            started = not _wake(folder)  # otherwise a supervisor has begun to listen since
            if started:
                _launch(folder, next_lock)
        finally:
            next_lock.close()
        # Others relied on the lock while it was held: the listener must still be there after its release.
        if started or _wake(folder):
            return


def start_successor(folder: StateFolder, dead: int) -> None:
    """Start the supervisor that follows a dead one, whatever still receives its hints: it waits for the lock.

    Parameters
    ----------
    folder : StateFolder
        The state folder.
    dead : int
        PID of the supervisor that has died.

    Raises
    ------
    OSError
        If it can't be started.
    StoreError
        See `start`.
    """
    ownership.check(folder.path)
    next_lock = FileLock.acquire(folder.next_lock(place.here()), wait=False)
    if next_lock is None:
        return  # one is already starting
    try:
        if lock.holder_pid(folder.supervisor_lock(place.here())) in (None, dead):
            _launch(folder, next_lock)
    finally:
        next_lock.close()


def has_successor(folder: StateFolder, dead: int) -> bool:
    """Return whether a supervisor other than the dead one holds the lock."""
    return lock.holder_pid(folder.supervisor_lock(place.here())) not in (None, dead)


def _launch(folder: StateFolder, next_lock: FileLock) -> None:
    with next_lock.handed_over() as descriptor:
        launch.detached(command("supervisor", folder.path, str(descriptor)), errors=folder.errors, keep=[descriptor])


def inherited_lock(descriptor: int) -> FileLock:
    """Return the next-lock that a new supervisor inherited."""
    os.set_inheritable(descriptor, False)
    return FileLock(descriptor)
