"""A supervisor's service: waiting for news, and shutting down in the right order.

It ends only when nothing is queued, delayed, running or requested: it closes and unlinks the wake-up, checks the store again, and
then gives the lock back. If the store is damaged or was replaced, it closes it at once, and running jobs continue. A supervisor
whose interpreter was deleted gives way to one started by another interpreter.
"""

import contextlib
import os
import time

from ..errors import StoreDamaged, StoreError
from ..executors.executor import Executor
from ..state import damage
from ..state.folder import StateFolder
from ..system.lock import FileLock
from ..system.wakeup import WakeupListener
from .decisions import AGAIN
from .heartbeat import LONGEST_STEP, Heartbeat
from .loop import FALLBACK, Supervisor


def serve(folder: StateFolder, executor: Executor, heartbeat: Heartbeat, turn: FileLock) -> bool:
    """Supervise until nothing is left to do.

    Parameters
    ----------
    folder : StateFolder
        The state folder, whose supervisor's lock the caller holds.
    executor : Executor
        Launches the attempts; closed at the end.
    heartbeat : Heartbeat
        The supervisor's promises.
    turn : FileLock
        The next-lock, released once this supervisor listens.

    Returns
    -------
    bool
        Whether another store is now in the folder, for which a supervisor is to be started.

    Raises
    ------
    StoreError
        If the store can't be used.
    """
    try:
        supervisor = Supervisor(folder, executor)
    except StoreDamaged as error:
        damage.record(folder, str(error))
        executor.close()
        return False
    except BaseException:
        executor.close()  # or its helpers would start another supervisor, which would fail as well
        raise
    listener = WakeupListener(supervisor.held)
    executor.warm_up()
    turn.close()
    try:
        _supervise(supervisor, listener, folder, heartbeat)
    except StoreDamaged as error:
        supervisor.abandon_store(error)
        return os.path.exists(folder.database) and damage.read(folder) is None
    supervisor.close()
    return False


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
