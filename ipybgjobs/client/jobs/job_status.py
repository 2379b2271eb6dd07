"""The states of jobs in words: why each waits, what it does, whether it is overdue; for one job or many, by the same few queries.

Everything is read when it is first needed, so finished jobs cost nothing. It changes nothing.
"""

import functools
import time
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from ...configuration.settings import QueueSettings
from ...errors import BackgroundJobError
from ...model import durations, moments
from ...model.records import JobRecord
from ...model.redaction import one_line
from ...model.usual_time import UsualTime
from ...state import attempt
from ...state import progress as progress_of
from ...state.folder import StateFolder
from ...store import changes, supervisors, usual_times, waiting_jobs
from ...store.notices import Notices
from ...store.waiting_jobs import NewestAttempt
from ...system import interrupt_shield, lock, place, private_file
from . import deadlock, supervision
from .job_client import JobClient

#: Most jobs that a reason names; the others are counted.
_NAMED = 5


class JobStatus(Struct, frozen=True):
    """The state of a job in words.

    Parameters
    ----------
    text : str
        The state, with the reason or the progress.
    reason : str or None
        Why it is queued, or can't continue; None if nothing keeps it, or that is unknown.
    usual : UsualTime or None
        How long such jobs usually run; None for a finished one, or if that is unknown.
    overdue : bool
        Whether its attempt has been running for much longer than that.
    held : bool
        Whether the reason is one that does not pass by itself, such as a paused queue.
    """

    text: str
    reason: str | None = None
    usual: UsualTime | None = None
    overdue: bool = False
    held: bool = False


def of_jobs(client: JobClient, folder: StateFolder, records: Iterable[JobRecord]) -> dict[int, JobStatus]:
    """Return the states of jobs of one state folder, by id."""
    found = list(records)
    reader = _StatusReader(client, folder, [record for record in found if not record.state.ended])
    return {record.id: reader.status(record) for record in found}


class FullQueues:
    """The queues that have no free slot, as far as this process's configuration says how many slots there are.

    Parameters
    ----------
    client : JobClient
        Reads the configuration.
    folder : StateFolder
        The state folder.
    """

    def __init__(self, client: JobClient, folder: StateFolder) -> None:
        self._client = client
        self._folder = folder

    def holders(self) -> dict[str, list[int]]:
        """Return the jobs that hold all slots of a queue, by queue; queues with a free slot are missing."""
        found: dict[str, list[int]] = {}
        for holder in changes.holders(self._client.database(self._folder), place.here()):
            found.setdefault(holder.queue, []).append(holder.job_id)
        slots = self._slots() if found else {}
        return {name: sorted(ids) for name, ids in found.items() if len(ids) >= slots.get(name, QueueSettings()).slots}

    def _slots(self) -> Mapping[str, QueueSettings]:
        try:
            return self._client.settings().queues
        except BackgroundJobError:  # a broken file: reported where it matters
            return {}


class _StatusReader:
    """What the states of some unfinished jobs depend on."""

    def __init__(self, client: JobClient, folder: StateFolder, live: Sequence[JobRecord]) -> None:
        self._client = client
        self._folder = folder
        self._database = client.database(folder)
        self._live = live
        self._now = time.time()

    # -- facts, each read once ------------------------------------------------------------------------------------

    def _ids(self, *, waiting: bool) -> list[int]:
        return [record.id for record in self._live if record.state.waiting is waiting]

    @functools.cached_property
    def _dependencies(self) -> dict[int, list[int]]:
        return waiting_jobs.pending_dependencies(self._database, self._ids(waiting=True))

    @functools.cached_property
    def _contexts(self) -> dict[int, int]:
        return waiting_jobs.contexts(self._database, [record.id for record in self._live])

    @functools.cached_property
    def _attempts(self) -> dict[int, NewestAttempt]:
        return waiting_jobs.newest_attempts(self._database, self._ids(waiting=False))

    @functools.cached_property
    def _ahead(self) -> dict[int, int]:
        return waiting_jobs.jobs_ahead(self._database, place.here(), self._ids(waiting=True))

    @functools.cached_property
    def _paused(self) -> dict[str, float]:
        return waiting_jobs.paused_since(self._database)

    @functools.cached_property
    def _full(self) -> dict[str, list[int]]:
        return FullQueues(self._client, self._folder).holders()

    @functools.cached_property
    def _usual(self) -> dict[int, UsualTime]:
        return usual_times.of_jobs(self._database, self._live)

    @functools.cached_property
    def _notices(self) -> Notices:
        return supervision.notices(self._database, self._folder)

    @functools.cached_property
    def _trouble(self) -> str | None:
        return supervision.trouble(self._folder)

    @functools.cached_property
    def _supervised(self) -> bool:
        return interrupt_shield.run(lambda: lock.is_held(self._folder.supervisor_lock(place.here())))

    @functools.cached_property
    def _heard(self) -> dict[str, float]:
        return {each.place: each.heard_at for each in supervisors.read_all(self._database)}

    # -- words ----------------------------------------------------------------------------------------------------

    def status(self, record: JobRecord) -> JobStatus:
        """Return the state of one of the jobs in words."""
        if record.state.ended:
            return JobStatus(record.status())
        usual = self._usual.get(record.id)
        if record.owner.place != place.here():
            where = self._elsewhere(record)
            return JobStatus(f"{record.status()} {where}", where, usual)
        return self._queued(record, usual) if record.state.waiting else self._running(record, usual)

    def _elsewhere(self, record: JobRecord) -> str:
        heard = self._heard.get(record.owner.place)
        since = "never heard from" if heard is None else f"last heard from {durations.show(max(0.0, self._now - heard))} ago"
        return f"elsewhere ({record.owner.host}, {since})"

    def _queued(self, record: JobRecord, usual: UsualTime | None) -> JobStatus:
        if record.pending_dependencies:
            others = f"depends on {_named(self._dependencies.get(record.id, []))}"
            return JobStatus(f"{record.state}, {others}", others, usual)
        held = self._held(record)
        if held:
            return JobStatus(f"{record.status()}, held: {held}", held, usual, held=True)
        if record.not_before > self._now and not record.ready:
            status = record.status()
            return JobStatus(status, status.removeprefix("queued, "), usual)
        reason = self._slot(record)
        return JobStatus(", ".join(filter(None, (record.status(), reason))), reason, usual)

    def _held(self, record: JobRecord) -> str | None:
        """Return what keeps a queued job from starting although its time has come."""
        if record.queue in self._paused:
            since = moments.show_near(self._paused[record.queue], self._now)
            return f"the queue {one_line(record.queue)} is paused (since {since})"
        return None if record.not_before > self._now else self._notice(record)

    def _notice(self, record: JobRecord) -> str | None:
        return self._notices.of(self._contexts.get(record.id, 0))

    def _slot(self, record: JobRecord) -> str | None:
        """Return who holds the slots that a job waits for, and how many jobs are before it."""
        holders = self._full.get(record.queue)
        if holders is None:
            return None if self._supervised else "a supervisor is being started"
        if record.id in holders:  # it was given a slot after its row was read
            return None
        ahead, queue = self._ahead.get(record.id, 0), one_line(record.queue)
        taken = f"the slot of the queue {queue} is" if len(holders) == 1 else f"the slots of the queue {queue} are"
        before = f"; {ahead:,} job{' is' if ahead == 1 else 's are'} ahead" if ahead else ""
        return f"{taken} taken by {_named(holders)}{before}"

    def _running(self, record: JobRecord, usual: UsualTime | None) -> JobStatus:
        newest = self._attempts.get(record.id)
        folder = self._folder.attempt(newest.folder) if newest is not None and newest.folder else None
        held = self._hindrance(record, folder)
        if held:
            return JobStatus(f"{record.status()}, held: {held}", held, usual, held=True)
        overdue = usual is not None and newest is not None and usual.is_overdue(newest.started_at, self._now)
        told = [record.status(), "overdue" if overdue else "", *_doing(folder)]
        return JobStatus(", ".join(filter(None, told)), None, usual, overdue)

    def _hindrance(self, record: JobRecord, folder: str | None) -> str | None:
        """Return what keeps an attempt from beginning or ending: as its supervisor reported, or as seen from here."""
        begun = folder is not None and "process" in (private_file.read_json(folder, attempt.STARTED) or {})
        return self._trouble if begun else self._notice(record)


def _doing(folder: str | None) -> list[str]:
    """Return which jobs a running attempt waits for, and its progress."""
    if folder is None:
        return []
    others = ", ".join(f"job {each}" for each in sorted(deadlock.awaited_jobs(folder)))
    return [f"waiting for {others}" if others else "", str(progress_of.of_attempt(folder) or "")]


def _named(ids: Sequence[int]) -> str:
    """Return the jobs in words: the first ones by id, and the number of the others."""
    named = ", ".join(f"job {each}" for each in ids[:_NAMED])
    more = len(ids) - _NAMED
    return f"{named} and {more:,} more" if more > 0 else named or "a job"
