"""Jobs that wait for other jobs: record which, and detect a deadlock, in which none could ever continue.

A queue whose slots are all taken by jobs that wait for jobs of the same queue can't start another job. The waiting job detects
this itself, because only it can break the deadlock, by an error in its wait. Waits with a timeout end by themselves, and are
ignored. It never changes another job.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct

from ...configuration.settings import Settings
from ...errors import BackgroundJobError, Deadlock
from ...state import attempt, current_job
from ...state.folder import StateFolder
from ...store import changes, queries
from ...store.database import Database
from ...system import place, private_file

#: Seconds after which what a job has recorded no longer counts: it renews the record once a second.
_FRESH = 10.0

#: Checks in a row that must agree: a job that starts or finishes at this moment is not a deadlock.
_CONFIRMATIONS = 3


class WaitGraph(Struct, frozen=True):
    """Which jobs hold slots, and which wait for which, by their ids.

    Parameters
    ----------
    running : mapping
        The queue of each job that holds a slot.
    queued : mapping
        The queue of each queued job that others wait for.
    waits : mapping
        The jobs that each running job waits for.
    slots : mapping
        How many jobs of a queue may run at once; paused and unknown queues are missing.
    """

    running: Mapping[int, str]
    queued: Mapping[int, str]
    waits: Mapping[int, frozenset[int]]
    slots: Mapping[str, int]

    def deadlocked(self) -> frozenset[int]:
        """Return the running jobs that wait only for jobs that can't continue before they do."""
        found = frozenset(job for job, others in self.waits.items() if others and job in self.running)
        while going := {job for job in found if any(self._may_finish(other, found) for other in self.waits[job])}:
            found -= going
        return found

    def _may_finish(self, job: int, deadlocked: frozenset[int]) -> bool:
        """Return whether a job may still finish; true for unknown jobs."""
        if job in self.running:
            return job not in deadlocked
        queue = self.queued.get(job)
        holders = [other for other, its in self.running.items() if its == queue]
        return queue is None or queue not in self.slots or len(holders) < self.slots[queue] or not deadlocked.issuperset(holders)


class WaitGraphReader(Struct, frozen=True):
    """Where a waiting job reads the state of others.

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

    def wait_graph(self) -> WaitGraph:
        """Return which jobs hold slots, and which wait for which."""
        database, limits = self.database(), self.settings().queues
        holders = changes.holders(database, place.here())
        waits = {each.job_id: awaited_jobs(self.folder.attempt(each.folder)) for each in holders}
        queued = changes.queues_of(database, sorted(set().union(*waits.values())))
        paused = queries.paused(database)
        slots = {name: queue.slots for name, queue in limits.items() if name not in paused}
        return WaitGraph({each.job_id: each.queue for each in holders}, queued, waits, slots)


#: The jobs that this process's job waits for, with the number of calls that wait.
_awaited: dict[int, int] = {}


def awaited_jobs(folder: str, now: Callable[[], float] = time.time) -> frozenset[int]:
    """Return the ids of the jobs that the job of an attempt folder waits for; none if it waits for none, or its record is old."""
    try:
        if abs(now() - os.stat(f"{folder}/{attempt.WAITING}").st_mtime) > _FRESH:
            return frozenset()
    except OSError:
        return frozenset()
    found = (private_file.read_json(folder, attempt.WAITING) or {}).get("jobs")
    return frozenset(each for each in found if type(each) is int) if isinstance(found, list) else frozenset()


@contextlib.contextmanager
def recorded_wait(
    reader: WaitGraphReader, left: Callable[[], Sequence[int]], timeout: float | None
) -> Iterator[Callable[[], None]]:
    """Record, while the block runs, which jobs the job in this process waits for; outside a job nothing happens.

    Parameters
    ----------
    reader : WaitGraphReader
        Where the other jobs are.
    left : callable
        Returns the ids of the jobs that it still waits for.
    timeout : float or None
        Timeout of the wait, in seconds.

    Yields
    ------
    callable
        To be called about once a second.

    Raises
    ------
    Deadlock
        If neither this job nor those that it waits for could ever continue.
    """
    job = current_job.current_job()
    mine = threading.current_thread() is threading.main_thread()  # a wait in another thread does not keep the job from ending
    if job is None or timeout is not None or not mine or not job.folder.startswith(f"{reader.folder.path}/"):
        yield lambda: None
        return
    wait = _Wait(reader, left, job)
    try:
        yield wait.check
    finally:
        wait.end()


class _Wait:
    """One wait of this process's job."""

    def __init__(self, reader: WaitGraphReader, left: Callable[[], Sequence[int]], job: current_job.CurrentJob) -> None:
        self._reader = reader
        self._left = left
        self._job = job
        self._ids: tuple[int, ...] = ()
        self._confirmations = 0

    def check(self) -> None:
        """Record the jobs that it waits for, and check whether the wait can ever end."""
        self._take(tuple(self._left()))
        try:
            graph = self._reader.wait_graph()
        except BackgroundJobError:  # for example, a broken configuration file: the wait continues
            return
        deadlocked = graph.deadlocked()
        self._confirmations = self._confirmations + 1 if self._job.id in deadlocked else 0
        if self._confirmations >= _CONFIRMATIONS and self._job.id == max(deadlocked):  # one of them frees its slot for the others
            raise Deadlock(_message(self._job.id, graph))

    def end(self) -> None:
        """End the wait."""
        self._take(())

    def _take(self, ids: tuple[int, ...]) -> None:
        for job_id in self._ids:
            _awaited[job_id] -= 1
        for job_id in ids:
            _awaited[job_id] = _awaited.get(job_id, 0) + 1
        self._ids = ids
        jobs = sorted(job_id for job_id, calls in _awaited.items() if calls > 0)
        with contextlib.suppress(OSError):  # a full disk: then no other process sees the wait
            if jobs:
                private_file.write_json(self._job.folder, attempt.WAITING, {"jobs": jobs})
            else:
                os.unlink(f"{self._job.folder}/{attempt.WAITING}")


def _message(job_id: int, graph: WaitGraph) -> str:
    others = sorted(graph.waits[job_id])
    named = ", ".join(map(str, others[:3])) + (" …" if len(others) > 3 else "")  # noqa: PLR2004 - enough to know which
    queue = next((graph.queued[other] for other in others if other in graph.queued), None)
    if queue is None:
        return (
            f"job {job_id} waits for job {named}, which waits for job {job_id} in turn: neither can finish. "
            "Let one of them finish without waiting for the other."
        )
    slots, taken = "all slots", "are taken by jobs that wait"
    if graph.slots[queue] == 1:
        slots, taken = "the only slot", "is taken by a job that waits"
    return (
        f"job {job_id} waits for job {named}, which can't start: {slots} of the queue {queue} {taken}. "
        f"Submit the jobs that others wait for to another queue, or give {queue} more slots (BackgroundJobs.queues)."
    )
