"""The supervisor's process: the lock for life, waiting for news, and ending in the right order.

It ends only when nothing is queued, delayed, running or requested: it closes and unlinks the wake-up, looks at the store
again, and then releases the lock. A new one waits for the lock instead of giving up.
"""

import math
import select
import time

from ..errors import StoreError
from ..folder import StateFolder
from ..process import launch, place
from ..process.lock import FileLock
from ..process.wakeup import Listener
from ..summon import inherited_lock
from .deciding import AGAIN
from .loop import FALLBACK, Supervisor

#: Seconds that one call of poll can wait; its argument is a C integer of milliseconds.
_LONGEST_POLL = 1_000_000


def main(state_dir: str, next_lock: int) -> None:
    """Wait for the lock, supervise, end when idle."""
    launch.settle()
    folder = StateFolder(state_dir)
    folder.create()  # somebody may have removed what is in it
    turn = inherited_lock(next_lock)
    lock = FileLock.acquire(folder.supervisor_lock(place.here()), wait=True)
    assert lock is not None
    supervisor = Supervisor(folder)
    listener = Listener(state_dir)
    supervisor.executor.prepare()
    turn.close()
    supervisor.recover()
    while True:
        _serve(supervisor, listener)
        listener.close()
        if not supervisor.has_work():
            break
        listener = Listener(state_dir)
    supervisor.close()
    lock.close()


def _serve(supervisor: Supervisor, listener: Listener) -> None:
    """Tick until there has been nothing to do for the idle time."""
    ready: set[int] = set()
    woken, idle_since = True, None
    while True:
        try:
            supervisor.tick(ready, woken=woken)
            patience = supervisor.patience()
        except StoreError:
            patience = AGAIN
        idle_since = None if patience is not None else (idle_since or time.monotonic())
        if idle_since is not None:
            left = idle_since + supervisor.policies.latest.idle_seconds - time.monotonic()
            if left <= 0:
                return
            patience = min(left, FALLBACK, supervisor.until_fold())
        ready = _wait(supervisor, listener, patience or 0.0)
        woken = listener.fileno() in ready
        if woken:
            listener.drain()
            idle_since = None
        elif not ready:
            listener.renew()


def _wait(supervisor: Supervisor, listener: Listener, seconds: float) -> set[int]:
    waiting = select.poll()
    for descriptor in (listener.fileno(), *supervisor.filenos()):
        waiting.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in waiting.poll(math.ceil(min(seconds, _LONGEST_POLL) * 1000))}
