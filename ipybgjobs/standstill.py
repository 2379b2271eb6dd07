"""A job that waits for another one: it is written down whom it waits for, and found out whether neither could ever go on.

A queue whose slots are all taken by jobs that wait for jobs of this queue starts nothing any more. The waiting job finds that out
itself, since it alone can end it, by an error in its wait. Waits with a time-out end by themselves, and count for nothing.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from . import attempt, inside
from .errors import BackgroundJobError, Standstill
from .folder import StateFolder
from .process import place
from .settings import Settings
from .store import records, watching
from .store.database import Database

#: Seconds after which what a job has written down no longer counts: it says it anew once a second.
_FRESH = 10.0

#: Looks in a row that must find the same: what somebody starts or ends at this moment is no standstill.
_LOOKS = 3


@dataclass(frozen=True, slots=True)
class Scene:
    """Who holds slots, and who waits for whom, by the ids of jobs.

    Parameters
    ----------
    running : mapping
        The queue of each job that holds a slot.
    queued : mapping
        The queue of each queued job that somebody waits for.
    waits : mapping
        Whom a job that runs waits for.
    slots : mapping
        How many jobs of a queue may run at once; of a queue that is paused, or not known, nothing.
    """

    running: Mapping[int, str]
    queued: Mapping[int, str]
    waits: Mapping[int, frozenset[int]]
    slots: Mapping[str, int]

    def stuck(self) -> frozenset[int]:
        """Jobs that run, and wait for nothing but jobs that can't go on before they do themselves."""
        found = frozenset(job for job, others in self.waits.items() if others and job in self.running)
        while going := {job for job in found if any(self._can_go_on(other, found) for other in self.waits[job])}:
            found -= going
        return found

    def _can_go_on(self, job: int, stuck: frozenset[int]) -> bool:
        """Whether a job may end some day; of what is not known that is assumed."""
        if job in self.running:
            return job not in stuck
        queue = self.queued.get(job)
        holders = [other for other, its in self.running.items() if its == queue]
        return queue is None or queue not in self.slots or len(holders) < self.slots[queue] or not stuck.issuperset(holders)


@dataclass(frozen=True, slots=True)
class Store:
    """Where a waiting job looks.

    Parameters
    ----------
    folder : StateFolder
        The state folder.
    database : callable
        Opens its database.
    settings : callable
        Returns what the configuration files say.
    """

    folder: StateFolder
    database: Callable[[], Database]
    settings: Callable[[], Settings]

    def scene(self) -> Scene:
        """Look who holds slots, and who waits for whom."""
        database, limits = self.database(), self.settings().queues
        holders = watching.holders(database, place.here())
        waits = {each.job_id: awaited(self.folder.attempt(each.folder)) for each in holders}
        queued = watching.queues_of(database, sorted(set().union(*waits.values())))
        paused = records.paused(database)
        slots = {name: queue.slots for name, queue in limits.items() if name not in paused}
        return Scene({each.job_id: each.queue for each in holders}, queued, waits, slots)


#: Whom this process's job waits for, with how many calls.
_awaited: dict[int, int] = {}


def awaited(folder: str, now: Callable[[], float] = time.time) -> frozenset[int]:
    """Return the ids of the jobs for which the job of an attempt folder waits; none if it does not, or has not said so lately."""
    try:
        if abs(now() - os.stat(f"{folder}/{attempt.WAITING}").st_mtime) > _FRESH:
            return frozenset()
    except OSError:
        return frozenset()
    found = (attempt.read_json(folder, attempt.WAITING) or {}).get("jobs")
    return frozenset(each for each in found if type(each) is int) if isinstance(found, list) else frozenset()


@contextlib.contextmanager
def noted(store: Store, left: Callable[[], Sequence[int]], timeout: float | None) -> Iterator[Callable[[], None]]:
    """Write down, while it lasts, whom the job that runs in this process waits for; elsewhere nothing happens.

    Parameters
    ----------
    store : Store
        Where the other jobs are.
    left : callable
        Returns the ids of those that it still waits for.
    timeout : float or None
        Of the wait, in seconds.

    Yields
    ------
    callable
        To be called about once a second.

    Raises
    ------
    Standstill
        Where neither this job nor those that it waits for could ever go on.
    """
    job = inside.current_job()
    mine = threading.current_thread() is threading.main_thread()  # what another thread waits for keeps no job from its end
    if job is None or timeout is not None or not mine or not job.folder.startswith(f"{store.folder.path}/"):
        yield lambda: None
        return
    wait = _Wait(store, left, job)
    try:
        yield wait.beat
    finally:
        wait.end()


class _Wait:
    """One wait of this process's job."""

    def __init__(self, store: Store, left: Callable[[], Sequence[int]], job: inside.CurrentJob) -> None:
        self._store = store
        self._left = left
        self._job = job
        self._ids: tuple[int, ...] = ()
        self._looks = 0

    def beat(self) -> None:
        """Say whom it waits for, and look whether that can ever end."""
        self._take(tuple(self._left()))
        try:
            scene = self._store.scene()
        except BackgroundJobError:  # a file of the configuration is broken, say: the wait goes on
            return
        stuck = scene.stuck()
        self._looks = self._looks + 1 if self._job.id in stuck else 0
        if self._looks >= _LOOKS and self._job.id == max(stuck):  # one of them makes room for the others
            raise Standstill(_said(self._job.id, scene))

    def end(self) -> None:
        """It waits no more."""
        self._take(())

    def _take(self, ids: tuple[int, ...]) -> None:
        for job_id in self._ids:
            _awaited[job_id] -= 1
        for job_id in ids:
            _awaited[job_id] = _awaited.get(job_id, 0) + 1
        self._ids = ids
        jobs = sorted(job_id for job_id, calls in _awaited.items() if calls > 0)
        with contextlib.suppress(OSError):  # a full disk: then nobody sees it
            if jobs:
                attempt.write_json(self._job.folder, attempt.WAITING, {"jobs": jobs})
            else:
                os.unlink(f"{self._job.folder}/{attempt.WAITING}")


def _said(job_id: int, scene: Scene) -> str:
    others = sorted(scene.waits[job_id])
    named = ", ".join(map(str, others[:3])) + (" …" if len(others) > 3 else "")  # noqa: PLR2004 - enough to know which
    queue = next((scene.queued[other] for other in others if other in scene.queued), None)
    if queue is None:
        return (
            f"job {job_id} waits for job {named}, which waits for job {job_id} in turn: neither can end. "
            "Let one of them continue without waiting."
        )
    slots, taken = "all slots", "are taken by jobs that wait"
    if scene.slots[queue] == 1:
        slots, taken = "the only slot", "is taken by a job that waits"
    return (
        f"job {job_id} waits for job {named}, which can't start: {slots} of the queue {queue} {taken}. "
        f"Submit the jobs that others wait for to another queue, or give {queue} more slots (BackgroundJobs.queues)."
    )
