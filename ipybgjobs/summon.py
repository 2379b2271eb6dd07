"""Seeing to it that a supervisor looks at the store: wake the one that runs, or start one.

At most one process waits to become supervisor: it holds the next-lock from before its start until it listens. So a lost hint
is impossible: either somebody hears it, or somebody is about to look.
"""

import os

from .folder import StateFolder
from .process import identity, launch, wakeup
from .process.lock import FileLock
from .roles import command


def summon(folder: StateFolder) -> None:
    """Wake or start the supervisor of this host.

    Raises
    ------
    OSError
        If none runs and none can be started.
    """
    if not wakeup.send(folder.path):
        start(folder)


def start(folder: StateFolder) -> None:
    """Start a supervisor, unless one is about to start."""
    while True:
        lock = FileLock.acquire(folder.next_lock(identity.host()), wait=False)
        if lock is None:
            return
        try:
            started = not wakeup.send(folder.path)  # else somebody has begun to listen since
            if started:
                launch.detached(
                    command("supervisor", folder.path, str(lock.descriptor)), errors=folder.errors, keep=[lock.descriptor]
                )
        finally:
            lock.close()
        # Others relied on the turn while it was held: the listener must still be there after it was given back.
        if started or wakeup.send(folder.path):
            return


def inherited_lock(descriptor: int) -> FileLock:
    """The next-lock that a new supervisor was given."""
    os.set_inheritable(descriptor, False)
    return FileLock(descriptor)
