"""Commit a client's changes to jobs (files, rows, the wake-up), each whole or not at all, whatever interrupts it.

It never checks values or reads the configuration: its callers did, because a transaction runs only its statements.
"""

from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

from ..errors import StoreError
from ..model.records import Owner
from ..state.folder import StateFolder
from ..state.removal_notes import Removal
from ..state.wake import wake_or_start
from ..store import controls, queries, removals, submissions
from ..store.database import Database
from ..store.removals import RemovalFilter
from ..store.submissions import NewGroup, Submission, SubmitContext
from ..system import interrupt_shield
from .submit.payloads import Payloads


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

    def submit(self, job: Submission, pickled: bytes | None, submit_context: SubmitContext) -> Stored:
        """Store a job with the copy of its parameters."""

        def effect() -> Stored:
            self._database.check_journal()
            with Payloads(self._folder, self._known) as payloads:
                payloads.write(job.uid, pickled)
                job_id, uid = submissions.submit(self._database, job, submit_context)
                payloads.done = uid == job.uid
            wake(self._folder)
            return Stored(job_id, uid, new=uid == job.uid)

        return interrupt_shield.run(effect, lambda stored: f"job {stored.id} was submitted" if stored.new else None)

    def submit_group(
        self,
        group: NewGroup,
        jobs: Sequence[Submission],
        pickled: Sequence[tuple[str, bytes | None]],
        submit_context: SubmitContext,
    ) -> int:
        """Store a group with its jobs; `pickled`: the uid of the group or of a job, with the copy of its parameters."""

        def effect() -> int:
            self._database.check_journal()
            with Payloads(self._folder, self._known) as payloads:
                for uid, content in pickled:
                    interrupt_shield.check_abandoned()
                    payloads.write(uid, content)
                group_id = submissions.submit_group(self._database, group, jobs, submit_context)
                payloads.done = True
            wake(self._folder)
            return group_id

        return interrupt_shield.run(effect, lambda group_id: f"group {group_id} with {_count(len(jobs))} was submitted")

    def retry(self, contexts: Mapping[int, SubmitContext], owner: Owner, now: float) -> None:
        """Request another attempt of jobs, each in its context."""

        def effect() -> None:
            self._database.check_journal()
            controls.request_retry(self._database, contexts, owner, now)
            wake(self._folder)

        interrupt_shield.run(effect, lambda _: f"the retry of {_named([*contexts])} was requested, and continues")

    def adopt(self, notes: Mapping[int, str], owner: Owner, now: float) -> None:
        """Request that jobs become this place's; `notes`: for each, who said that its place is gone."""

        def effect() -> None:
            controls.request_adoption(self._database, notes, owner, now)
            wake(self._folder)

        interrupt_shield.run(effect, lambda _: f"the adoption of {_named(list(notes))} was requested, and continues")

    def cancel(self, job_ids: Sequence[int], grace: float | None, now: float) -> None:
        """Request the cancellation of jobs."""

        def effect() -> int:
            asked = controls.request_cancel(self._database, job_ids, grace, now)
            wake(self._folder)
            return asked

        interrupt_shield.run(effect, lambda asked: _cancellation(_named(job_ids), len(job_ids)) if asked else None)

    def cancel_group(self, group_id: int, grace: float | None, now: float) -> None:
        """Request the cancellation of a group."""

        def effect() -> int:
            asked = controls.request_cancel_of_group(self._database, group_id, grace, now)
            wake(self._folder)
            return asked

        interrupt_shield.run(effect, lambda asked: _cancellation(f"group {group_id}", 1) if asked else None)

    def set_priority(self, job_ids: Sequence[int], priority: int) -> list[int]:
        """Change the priority of the queued ones of these jobs, and return their ids."""

        def effect() -> list[int]:
            changed = controls.set_priority(self._database, job_ids, priority)
            wake(self._folder)
            return changed

        def said(changed: list[int]) -> str | None:
            return f"{_named(changed)} now {'has' if len(changed) == 1 else 'have'} priority {priority}" if changed else None

        return interrupt_shield.run(effect, said)

    def keep(self, job_ids: Sequence[int], *, kept: bool) -> list[int]:
        """Exempt jobs from clean and retention, or stop exempting them; return the ids of those that exist."""

        def said(changed: list[int]) -> str | None:
            how = "kept" if kept else "no longer kept"
            return f"{_named(changed)} {'is' if len(changed) == 1 else 'are'} {how}" if changed else None

        return interrupt_shield.run(lambda: controls.keep(self._database, job_ids, kept=kept), said)

    def remove(self, job_ids: Sequence[int], removal_filter: RemovalFilter | None) -> list[str]:
        """Remove finished jobs that still match the filter; return the uids of those removed."""

        def effect() -> list[str]:
            with Removal(self._folder) as removal:
                gone, groups = removals.remove(self._database, job_ids, removal.announce, removal_filter)
            removal.finish([*gone, *groups])
            return gone

        def said(gone: list[str]) -> str | None:
            if len(gone) == len(job_ids) == 1:
                return f"job {job_ids[0]} was removed"
            return f"{_count(len(gone))} {'was' if len(gone) == 1 else 'were'} removed" if gone else None

        return interrupt_shield.run(effect, said)

    def pause(self, queues: Sequence[str], now: float) -> None:
        """Pause these queues."""
        said = f"{_queues(queues)} paused"
        interrupt_shield.run(lambda: controls.pause(self._database, queues, now), lambda _: said)

    def resume(self, queue: str | None) -> list[str]:
        """Resume a queue, or all; return the queues that were paused."""

        def effect() -> list[str]:
            resumed = controls.resume(self._database, queue)
            wake(self._folder)
            return resumed

        return interrupt_shield.run(effect, lambda resumed: f"{_queues(resumed)} no longer paused" if resumed else None)


def wake(folder: StateFolder) -> None:
    """Make the supervisor check the store.

    Raises
    ------
    StoreError
        If none runs and none can be started.
    """
    try:
        wake_or_start(folder)
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
