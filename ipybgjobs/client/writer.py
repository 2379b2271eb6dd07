"""Commit a client's changes to jobs (files, rows, the wake-up), each whole or not at all, whatever interrupts it.

It never checks values or reads the configuration: its callers did, because a transaction does no work but its statements.
"""

from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

from ..errors import StoreError
from ..model.records import Owner
from ..state.folder import StateFolder
from ..state.removal_notes import Removal
from ..state.wake import summon
from ..store import controls, queries, removals, submissions
from ..store.database import Database
from ..store.removals import Rule
from ..store.submissions import NewGroup, Submission, Surroundings
from ..system import shield
from .submit.payloads import Copies


class Stored(NamedTuple):
    """The job that a submit returned."""

    id: int
    uid: str
    new: bool  #: False: an existing job is used


class Writer:
    """The changes that a client can make to one store.

    Parameters
    ----------
    folder : StateFolder
        The state folder.
    database : Database
        The store in it.
    """

    def __init__(self, folder: StateFolder, database: Database) -> None:
        self._folder = folder
        self._database = database

    def _known(self, uids: Sequence[str]) -> Container[str]:
        """Return those of the uids that have a row; all, if the store can't be read."""
        try:
            return queries.known(self._database, uids)
        except StoreError:
            return uids

    def submit(self, job: Submission, pickled: bytes | None, surroundings: Surroundings) -> Stored:
        """Store a job with the copy of its parameters."""

        def effect() -> Stored:
            self._database.check_journal()
            with Copies(self._folder, self._known) as copies:
                copies.keep(job.uid, pickled)
                job_id, uid = submissions.submit(self._database, job, surroundings)
                copies.done = uid == job.uid
            wake(self._folder)
            return Stored(job_id, uid, new=uid == job.uid)

        return shield.run(effect, lambda stored: f"job {stored.id} was submitted" if stored.new else None)

    def submit_group(
        self, group: NewGroup, jobs: Sequence[Submission], pickled: Sequence[tuple[str, bytes | None]], surroundings: Surroundings
    ) -> int:
        """Store a group with its jobs; `pickled`: the uid of the group or of a job, with the copy of its parameters."""

        def effect() -> int:
            self._database.check_journal()
            with Copies(self._folder, self._known) as copies:
                for uid, content in pickled:
                    shield.check()
                    copies.keep(uid, content)
                group_id = submissions.submit_group(self._database, group, jobs, surroundings)
                copies.done = True
            wake(self._folder)
            return group_id

        return shield.run(effect, lambda group_id: f"group {group_id} with {_count(len(jobs))} was submitted")

    def retry(self, job_ids: Sequence[int], owner: Owner, surroundings: Surroundings, now: float) -> None:
        """Request another attempt of jobs."""

        def effect() -> None:
            self._database.check_journal()
            controls.request_retry(self._database, job_ids, owner, surroundings, now)
            wake(self._folder)

        shield.run(effect, lambda _: f"the retry of {_named(job_ids)} was requested, and continues")

    def adopt(self, notes: Mapping[int, str], owner: Owner, now: float) -> None:
        """Request that jobs become this place's; `notes`: for each, who states that its place is gone."""

        def effect() -> None:
            controls.request_adoption(self._database, notes, owner, now)
            wake(self._folder)

        shield.run(effect, lambda _: f"the adoption of {_named(list(notes))} was requested, and continues")

    def cancel(self, job_ids: Sequence[int], grace: float | None, now: float) -> None:
        """Request the cancellation of jobs."""

        def effect() -> int:
            asked = controls.request_cancel(self._database, job_ids, grace, now)
            wake(self._folder)
            return asked

        shield.run(effect, lambda asked: _cancellation(_named(job_ids), len(job_ids)) if asked else None)

    def cancel_group(self, group_id: int, grace: float | None, now: float) -> None:
        """Request the cancellation of a group."""

        def effect() -> int:
            asked = controls.request_cancel_of_group(self._database, group_id, grace, now)
            wake(self._folder)
            return asked

        shield.run(effect, lambda asked: _cancellation(f"group {group_id}", 1) if asked else None)

    def set_priority(self, job_id: int, priority: int) -> bool:
        """Give a queued job another priority; False if it is not queued."""

        def effect() -> bool:
            changed = controls.set_priority(self._database, job_id, priority)
            wake(self._folder)
            return changed

        return shield.run(effect, lambda changed: f"job {job_id} now has priority {priority}" if changed else None)

    def keep(self, job_id: int, *, kept: bool) -> None:
        """Exempt a job from clean and retention, or stop exempting it."""
        said = f"job {job_id} is {'kept' if kept else 'no longer kept'}"
        shield.run(lambda: controls.keep(self._database, job_id, kept=kept), lambda _: said)

    def remove(self, job_ids: Sequence[int], rule: Rule | None) -> list[str]:
        """Remove finished jobs that still match a rule; return the uids of those removed."""

        def effect() -> list[str]:
            with Removal(self._folder) as removal:
                gone, groups = removals.remove(self._database, job_ids, removal.announce, rule)
            removal.finish([*gone, *groups])
            return gone

        def said(gone: list[str]) -> str | None:
            if len(gone) == len(job_ids) == 1:
                return f"job {job_ids[0]} was removed"
            return f"{_count(len(gone))} {'was' if len(gone) == 1 else 'were'} removed" if gone else None

        return shield.run(effect, said)

    def pause(self, queues: Sequence[str], now: float) -> None:
        """Pause these queues."""
        said = f"{_queues(queues)} paused"
        shield.run(lambda: controls.pause(self._database, queues, now), lambda _: said)

    def resume(self, queue: str | None) -> list[str]:
        """Resume a queue, or all; return the queues that were paused."""

        def effect() -> list[str]:
            resumed = controls.resume(self._database, queue)
            wake(self._folder)
            return resumed

        return shield.run(effect, lambda resumed: f"{_queues(resumed)} no longer paused" if resumed else None)


def wake(folder: StateFolder) -> None:
    """Make the supervisor check the store.

    Raises
    ------
    StoreError
        If none runs and none can be started.
    """
    try:
        summon(folder)
    except OSError as error:
        raise StoreError(
            f"The job is stored in {folder.path}, but no supervisor can be started ({error}); it runs as soon as one can."
        ) from error


def _count(number: int) -> str:
    return "1 job" if number == 1 else f"{number:,} jobs"


def _named(job_ids: Sequence[int]) -> str:
    return f"job {job_ids[0]}" if len(job_ids) == 1 else _count(len(job_ids))


def _cancellation(what: str, number: int) -> str:
    return f"{what} {'is' if number == 1 else 'are'} being cancelled; the cancellation continues"


def _queues(names: Sequence[str]) -> str:
    return f"queue {names[0]} is" if len(names) == 1 else f"queues {', '.join(names)} are"
