"""The supervisor's process: the lifelong lock, waiting for news, and shutting down in the right order.

It exits only when nothing is queued, delayed, running or requested: it closes and unlinks the wake-up, checks the store
again, and then releases the lock. A new supervisor waits for the lock instead of giving up. If the store is damaged or was
replaced, it closes it at once, and running jobs continue. It starts a successor for the replacing store, but not for a damaged
one. A supervisor whose interpreter was deleted gives way to one started by another interpreter.
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
from ..system.wakeup import WakeupListener
from .decisions import AGAIN
from .heartbeat import LONGEST_STEP, Heartbeat
from .loop import FALLBACK, Supervisor


def main(state_dir: str, next_lock: int) -> None:
    """Wait for the lock, supervise, exit when idle; a store that can't be used is reported in one sentence."""
    launch.become_independent()
    limits.loosen()
    try:
        _take_turn(state_dir, next_lock)
    except StoreError as error:
        sys.exit(str(error))


def _take_turn(state_dir: str, next_lock: int) -> None:
    folder = StateFolder(state_dir)
    folder.create()  # its contents may have been removed
    turn = inherited_lock(next_lock)
    lock = FileLock.acquire(folder.supervisor_lock(place.here()), wait=True)
    assert lock is not None
    heartbeat = Heartbeat(lock)
    heartbeat.promise(LONGEST_STEP)
    try:
        supervisor = Supervisor(folder)
    except StoreDamaged as error:
        damage.record(folder, str(error))
        return
    listener = WakeupListener(supervisor.held)
    supervisor.executor.warm_up()
    turn.close()
    try:
        _supervise(supervisor, listener, folder, heartbeat)
    except StoreDamaged as error:
        supervisor.abandon_store(error)
        followed = os.path.exists(folder.database) and damage.read(folder) is None
    else:
        supervisor.close()
        followed = False
    lock.close()
    if followed:  # the store was replaced, and a client that submitted to the new one has woken this process
        with contextlib.suppress(OSError, StoreError):  # for example another user's, which is left alone
            wake.start(folder)


def _supervise(supervisor: Supervisor, listener: WakeupListener, folder: StateFolder, heartbeat: Heartbeat) -> None:
    """Work until nothing is left to do."""
    try:
        with supervisor.database.guarded():
            supervisor.recover()
        while True:
            _serve(supervisor, listener, folder, heartbeat)
            heartbeat.promise(LONGEST_STEP)
            listener.close()
            if supervisor.executor.can_launch_nothing or not supervisor.has_work():
                return
            listener = WakeupListener(supervisor.held)
    finally:
        listener.close()


def _serve(supervisor: Supervisor, listener: WakeupListener, folder: StateFolder, heartbeat: Heartbeat) -> None:
    """Tick until there has been nothing to do for the idle time."""
    ready: set[int] = set()
    woken, idle_since = True, None
    while True:
        patience = _turn(supervisor, folder, ready, woken=woken)
        if supervisor.executor.can_launch_nothing:
            return
        idle_since = None if patience is not None else (idle_since or time.monotonic())
        if idle_since is not None:
            left = idle_since + supervisor.configurations.latest.idle_seconds - time.monotonic()
            if left <= 0:
                return
            patience = min(left, FALLBACK, supervisor.until_checkpoint())
        if not supervisor.database.write_queue.kept_out:
            heartbeat.promise(patience or 0.0)
        ready = listener.wait(supervisor.filenos(), patience or 0.0)
        woken = listener.fileno() in ready
        if woken:
            listener.drain()
            idle_since = None
        elif not ready:
            with contextlib.suppress(OSError):  # the folder is gone: the next tick reports it
                listener.renew()


def _turn(supervisor: Supervisor, folder: StateFolder, ready: set[int], *, woken: bool) -> float | None:
    """Tick once, and return the seconds until something is due; None if nothing is."""
    supervisor.database.write_queue.kept_out = False
    try:
        with supervisor.database.guarded():
            supervisor.tick(ready, woken=woken)
        patience = supervisor.seconds_until_due()
        if supervisor.has_decided:
            damage.clear(folder)  # everything that it uses could be read and written
    except StoreDamaged:
        raise
    except StoreError:
        return AGAIN
    return patience
