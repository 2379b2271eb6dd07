"""The supervisor's process: the lock for life, waiting for news, and ending in the right order.

It ends only when nothing is queued, delayed, running or requested: it closes and unlinks the wake-up, looks at the store
again, and then releases the lock. A new one waits for the lock instead of giving up. Where the store is damaged, or another
is in its place, it lets go at once: what runs goes on. It starts a successor for that other store, and none for a damaged one.
One whose interpreter was thrown away gives way to one that another interpreter starts.
"""

import contextlib
import os
import sys
import time

from ..errors import StoreDamaged, StoreError
from ..state import damage, wake
from ..state.folder import StateFolder
from ..state.wake import inherited_lock
from ..system import launch, limits, place
from ..system.lock import FileLock
from ..system.wakeup import Listener
from .decisions import AGAIN
from .heartbeat import LONGEST_STEP, Pulse
from .loop import FALLBACK, Supervisor


def main(state_dir: str, next_lock: int) -> None:
    """Wait for the lock, supervise, end when idle; a store that can't be used is told in one sentence."""
    launch.settle()
    limits.loosen()
    try:
        _take_turn(state_dir, next_lock)
    except StoreError as error:
        sys.exit(str(error))


def _take_turn(state_dir: str, next_lock: int) -> None:
    folder = StateFolder(state_dir)
    folder.create()  # somebody may have removed what is in it
    turn = inherited_lock(next_lock)
    lock = FileLock.acquire(folder.supervisor_lock(place.here()), wait=True)
    assert lock is not None
    pulse = Pulse(lock)
    pulse.promise(LONGEST_STEP)
    try:
        supervisor = Supervisor(folder)
    except StoreDamaged as error:
        damage.note(folder, str(error))
        return
    listener = Listener(supervisor.held)
    supervisor.executor.warm_up()
    turn.close()
    try:
        _supervise(supervisor, listener, folder, pulse)
    except StoreDamaged as error:
        supervisor.leave(error)
        followed = os.path.exists(folder.database) and damage.noted(folder) is None
    else:
        supervisor.close()
        followed = False
    lock.close()
    if followed:  # another store has come into its place, and whoever submitted to that has woken this process
        with contextlib.suppress(OSError, StoreError):  # another user's, say: then that one is left alone
            wake.start(folder)


def _supervise(supervisor: Supervisor, listener: Listener, folder: StateFolder, pulse: Pulse) -> None:
    """Work until there is nothing left to do."""
    try:
        with supervisor.database.guarded():
            supervisor.recover()
        while True:
            _serve(supervisor, listener, folder, pulse)
            pulse.promise(LONGEST_STEP)
            listener.close()
            if supervisor.executor.can_launch_nothing or not supervisor.has_work():
                return
            listener = Listener(supervisor.held)
    finally:
        listener.close()


def _serve(supervisor: Supervisor, listener: Listener, folder: StateFolder, pulse: Pulse) -> None:
    """Tick until there has been nothing to do for the idle time."""
    ready: set[int] = set()
    woken, idle_since = True, None
    while True:
        patience = _turn(supervisor, folder, ready, woken=woken)
        if supervisor.executor.can_launch_nothing:
            return
        idle_since = None if patience is not None else (idle_since or time.monotonic())
        if idle_since is not None:
            left = idle_since + supervisor.policies.latest.idle_seconds - time.monotonic()
            if left <= 0:
                return
            patience = min(left, FALLBACK, supervisor.until_fold())
        if not supervisor.database.turn.kept_out:
            pulse.promise(patience or 0.0)
        ready = listener.wait(supervisor.filenos(), patience or 0.0)
        woken = listener.fileno() in ready
        if woken:
            listener.drain()
            idle_since = None
        elif not ready:
            with contextlib.suppress(OSError):  # the folder is gone: the next tick says so
                listener.renew()


def _turn(supervisor: Supervisor, folder: StateFolder, ready: set[int], *, woken: bool) -> float | None:
    """Tick once, and return the seconds until something is due; None where nothing is."""
    supervisor.database.turn.kept_out = False
    try:
        with supervisor.database.guarded():
            supervisor.tick(ready, woken=woken)
        patience = supervisor.patience()
        if supervisor.has_decided:
            damage.forget(folder)  # all that it works on could be read and written
    except StoreDamaged:
        raise
    except StoreError:
        return AGAIN
    return patience
