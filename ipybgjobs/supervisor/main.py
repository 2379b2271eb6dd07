"""The supervisor's process: the lifelong lock, the executor's helpers, and then the rest of the supervisor.

It has loaded little when it has the lock, so that helpers of the executor can be forks of it, and start while it loads the rest.
A new supervisor waits for the lock instead of giving up. A store that can't be used is reported in one sentence. If it was
replaced, the supervisor starts a successor for the replacing one.
"""

import contextlib
import gc
import os
import sys

from ..errors import StoreError
from ..executors import registry
from ..state import wake
from ..state.folder import StateFolder
from ..state.wake import inherited_lock
from ..system import launch, limits, place
from ..system.lock import FileLock
from .heartbeat import LONGEST_STEP, Heartbeat


def main(state_dir: str, next_lock: int) -> None:
    """Wait for the lock, supervise, exit when idle."""
    gc.disable()  # nothing that is loaded is garbage
    launch.become_independent()
    limits.loosen()
    try:
        _take_turn(state_dir, next_lock)
    except StoreError as error:
        sys.exit(str(error))
    sys.stderr.flush()
    os._exit(0)  # everything is closed: taking the interpreter apart would take a tenth of a short supervisor's time


def _take_turn(state_dir: str, next_lock: int) -> None:
    folder = StateFolder(state_dir)
    folder.create()  # its contents may have been removed
    turn = inherited_lock(next_lock)
    lock = FileLock.acquire(folder.supervisor_lock(place.here()), wait=True)
    assert lock is not None
    heartbeat = Heartbeat(lock)
    heartbeat.promise(LONGEST_STEP)
    begun = registry.begin(registry.DEFAULT, folder)
    try:
        from . import service  # only now, so that what was begun could be a fork of this process

        executor = registry.create(registry.DEFAULT, folder, begun)
    except BaseException:
        if begun is not None:
            begun.close()  # or it would start another supervisor, which would fail as well
        raise
    gc.enable()
    try:
        followed = service.serve(folder, executor, heartbeat, turn)
    finally:
        lock.close()
    if followed:  # the store was replaced, and a client that submitted to the new one has woken this process
        with contextlib.suppress(OSError, StoreError):  # for example another user's, which is left alone
            wake.start(folder)
