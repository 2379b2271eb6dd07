"""Seeing to it that a supervisor looks at the store: wake the one that runs, or start one.

At most one process waits to become supervisor: it holds the next-lock from before its start until it listens. So a lost hint
is impossible: either somebody hears it, or somebody is about to look.
"""

import os

from . import ownership
from .folder import StateFolder
from .process import identity, launch, lock, wakeup
from .process.lock import FileLock
from .roles import command


def summon(folder: StateFolder) -> None:
    """Wake or start the supervisor of this host.

    Raises
    ------
    OSError
        If none runs and none can be started.
    StoreError
        If none runs, and the folder has become another user's.
    """
    if not wakeup.send(folder.path):
        start(folder)


def see_to(folder: StateFolder) -> None:
    """See to it that a supervisor of this host runs, while somebody waits for a job."""
    if not lock.is_held(folder.supervisor_lock(identity.host())):
        summon(folder)


def start(folder: StateFolder) -> None:
    """Start a supervisor, unless one is about to start.

    Raises
    ------
    OSError
        If none can be started.
    StoreError
        If the folder has become another user's: nothing is made in it (see `ownership`).
    """
    ownership.check(folder.path)
    while True:
        turn = FileLock.acquire(folder.next_lock(identity.host()), wait=False)
        if turn is None:
            return
        try:
            started = not wakeup.send(folder.path)  # else somebody has begun to listen since
            if started:
                launch.detached(
                    command("supervisor", folder.path, str(turn.descriptor)), errors=folder.errors, keep=[turn.descriptor]
                )
        finally:
            turn.close()
        # Others relied on the turn while it was held: the listener must still be there after it was given back.
        if started or wakeup.send(folder.path):
            return


def inherited_lock(descriptor: int) -> FileLock:
    """The next-lock that a new supervisor was given."""
    os.set_inheritable(descriptor, False)
    return FileLock(descriptor)
