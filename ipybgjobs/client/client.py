"""The entry point: checks the allowlist, binds the parameters, commits one row, wakes the supervisor, and returns.

The only writer on the user's side; magics and command line are thin layers over it.
"""

import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Unpack

from msgspec.structs import replace

from ..configuration import loading
from ..configuration.live import LiveTraits
from ..configuration.settings import Settings
from ..errors import BackgroundJobError, InvalidRequest, UnknownJob
from ..model import moments, surface
from ..model.records import JobRecord, JobState, Owner
from ..model.redaction import quoted
from ..state import wake
from ..state.folder import StateFolder
from ..store import duplicates, listing, queries, submissions
from ..store.database import Database
from ..store.removals import RemovalFilter
from ..store.submissions import SubmitContext, SubmitPreview
from ..system import identity, interrupt_shield, place
from ..targets import callables
from ..targets import context as targets_context
from ..targets.callables import Called
from ..targets.context import Context, ContextCache
from . import dependencies, writer
from .callbacks import Callbacks
from .current_settings import CurrentSettings
from .jobs import supervision
from .jobs.group import Group
from .jobs.job import Job
from .jobs.job_list import JobList
from .submit import encoding, explanation, in_process, options, preparation
from .submit.explanation import ExplainContext, Explanation
from .submit.option_table import SubmitManyOptions, SubmitOptions
from .submit.stages import PreparationTrace, SubmitRequest
from .user_notes import Notes
from .writer import Writer


def _on_standard_error(note: str) -> None:
    print(note, file=sys.stderr)  # noqa: T201 - where a script's notes belong


class Client:
    """One user's view of the store.

    Parameters
    ----------
    profile : str, optional
        Folder of the IPython profile whose configuration files apply; by default the default profile's.
    live : LiveTraits, optional
        Settings of the running notebook.
    tell : callable
        Shows the user a note beside an answer, which another program may read; by default on standard error.
    """

    def __init__(
        self, profile: str | None = None, live: LiveTraits | None = None, tell: Callable[[str], None] = _on_standard_error
    ) -> None:
        self.tell, self._notes = tell, Notes(tell)
        self._settings = CurrentSettings(profile, live)
        self._databases: dict[str, Database] = {}
        self._opening: dict[int, threading.Lock] = {}  # by process: a thread that does not exist in a fork may hold its parent's
        self._environment: tuple[dict[str, str], str, str] | None = None  # variables, as text, digest
        self._context_cache = ContextCache()
        self._callbacks: dict[str, Callbacks] = {}  # by state folder
        self._supervisors = supervision.SupervisorMonitor(self._notes.add)

    # -- reading --------------------------------------------------------------------------------------------------

    def settings(self) -> Settings:
        """Return the current settings of the configuration files, as narrowed by this notebook.

        Raises
        ------
        ConfigurationError
            If a file is broken.
        """
        return self._settings.read()

    def folder(self) -> StateFolder:
        """Return the state folder, creating it if necessary."""
        folder = StateFolder(loading.state_folder(self._settings_or_default()))
        if folder.path not in self._databases or not os.path.exists(folder.path):
            folder.create()
        return folder

    def _settings_or_default(self) -> Settings:
        """Return the settings, or defaults: reading jobs needs no valid configuration, unless it names the state folder."""
        if os.environ.get(loading.STATE_VARIABLE):
            return Settings()
        return self.settings()

    def database(self, folder: StateFolder) -> Database:
        """Open the store; the first opening starts a supervisor if jobs are waiting and none runs."""
        found = self._databases.get(folder.path)
        if found is not None and found.is_current():
            return found
        if found is not None:
            found.close_stale()  # in this thread; each thread leaves its own
        return interrupt_shield.run(lambda: self._opened(folder))

    def _opened(self, folder: StateFolder) -> Database:
        with self._opening.setdefault(os.getpid(), threading.Lock()):  # threads that call at the same moment get the same one
            database = self._databases.get(folder.path)
            if database is None or not database.is_current():
                if database is not None:
                    database.close_stale()
                    folder.create()  # another store may have replaced it
                database = self._databases[folder.path] = Database(folder.database, durable=True, tell=self._notes.add)
                self._notes.report_unclaimed_folders(folder, database)
                self._supervisors.take_over(folder, database)
                if queries.has_work(database, place.here()):
                    writer.wake(folder)
            return database

    def _writer(self, folder: StateFolder) -> Writer:
        self._notes.report_damage(folder)
        return Writer(folder, self.database(folder))

    def ensure_supervisor(self, folder: StateFolder) -> None:
        """Make sure that a supervisor runs; called by everything that watches waiting or running jobs."""
        self._supervisors.ensure_supervisor(folder, lambda: self.database(folder))

    def jobs(self, limit: int, **filters: Any) -> JobList:
        """Return jobs, newest first."""
        folder = self.folder()
        found = listing.jobs(self.database(folder), options.count(limit, "limit"), **filters)
        if not all(record.state.ended for record in found):
            self.ensure_supervisor(folder)
        jobs = (Job(self, folder, record.id, record.uid) for record in found)
        return JobList(jobs, total=(lambda: listing.count(self.database(folder), **filters)) if len(found) == limit else None)

    def job(self, key: int | str) -> Job:
        """Return one job."""
        folder = self.folder()
        record = queries.job(self.database(folder), options.key(key))
        return Job(self, folder, record.id, record.uid)

    def close(self) -> None:
        """Close what this thread opened, and what was opened for its writes."""
        for database in self._databases.values():
            database.close()
            interrupt_shield.run(database.close)

    def group(self, key: int | str) -> Group:
        """Return one group.

        Raises
        ------
        UnknownJob
            If there is none.
        """
        folder = self.folder()
        if (found := listing.group(self.database(folder), options.key(key, "group"))) is None:
            raise UnknownJob(
                f"There is no group {quoted(key)} in {folder.path}; {surface.command('list')} shows those that exist."
            )
        return Group(self, folder, found.id)

    def __reduce__(self) -> tuple[Any, ...]:
        return client, ()  # a job that is sent elsewhere is read there by the client of that process

    def diagnosis(self) -> str:
        """Return what `jupyter bgjobs doctor` reports, as text."""
        from . import diagnosis

        return str(diagnosis.examine(lambda: self))

    # -- submitting -----------------------------------------------------------------------------------------------

    @interrupt_shield.explains_interrupts
    def submit(
        self,
        target: str | Called,
        params: Mapping[str, Any] | None = None,
        *,
        init: Mapping[str, Any] | None = None,
        retried_from: int | None = None,
        code: Mapping[str, bytes] | None = None,
        **given: Unpack[SubmitOptions],
    ) -> Job:
        """Submit a job; see `ipybgjobs.submit`.

        `retried_from`: the job whose parameters were changed for this one. `code`: the code that that job received by value.
        """
        settings, now = self.settings(), time.time()
        called, tell = callables.called(target), self._notes.show
        request = SubmitRequest(called.target, [params], init, given, code=code, instance=called.instance, tell=tell)
        prepared = preparation.prepare_submit(request, settings, now)
        folder = self.folder()
        database = self.database(folder)
        job = replace(
            prepared.job.submission, after=dependencies.ids(database, prepared.options.after), retried_from=retried_from
        )
        with database.reading() as connection:
            found = duplicates.reusable(connection, job.fingerprint, job.reuse_since)
        if found is not None:
            return self._reused(folder, found, now)
        stored = self._writer(folder).submit(job, prepared.job.pickled, self.submit_context(prepared.path_prefix))
        if not stored.new and (found := queries.job(database, stored.id)).state is JobState.SUCCEEDED:
            return self._reused(folder, found, now)
        self._notes.add(encoding.note_of_size(prepared.copied, settings.warn_param_bytes))
        self._notes.warn_of_lifetime_limit(folder)
        return Job(self, folder, stored.id, stored.uid)

    def _reused(self, folder: StateFolder, found: JobRecord, now: float) -> Job:
        self._notes.show(f"Reusing job {found.id} (finished {moments.show_near(found.ended_at or now, now)}).")
        return Job(self, folder, found.id, found.uid)

    @interrupt_shield.explains_interrupts
    def submit_many(
        self,
        target: str | Called,
        calls: Iterable[Mapping[str, Any]],
        *,
        common: Mapping[str, Any] | None = None,
        init: Mapping[str, Any] | None = None,
        name: str | None = None,
        **given: Unpack[SubmitManyOptions],
    ) -> Group:
        """Submit many jobs of one target; see `ipybgjobs.submit_many`."""
        settings, now = self.settings(), time.time()
        (target, instance), every = callables.called(target), {"name": name, **given}
        request = SubmitRequest(target, options.calls(calls), init, every, common, is_group=True, instance=instance)
        request = replace(request, tell=self._notes.show)
        prepared = preparation.prepare_submit(request, settings, now)
        assert prepared.group is not None  # a group was requested
        folder = self.folder()
        after = dependencies.ids(self.database(folder), prepared.options.after)
        jobs = [replace(job.submission, after=after) for job in prepared.jobs]
        submit_context = self.submit_context(prepared.path_prefix)
        group_id = self._writer(folder).submit_group(prepared.group, jobs, prepared.pickled, submit_context)
        self._notes.add(encoding.note_of_size(prepared.copied, settings.warn_param_bytes))
        self._notes.warn_of_lifetime_limit(folder)
        return Group(self, folder, group_id)

    def explain(
        self,
        target: str,
        params: Mapping[str, Any] | None = None,
        *,
        init: Mapping[str, Any] | None = None,
        **given: Unpack[SubmitOptions],
    ) -> Explanation:
        """Explain what `submit` would do, or why it would refuse; starts nothing, and changes nothing in the store."""
        trace, now, refusal = PreparationTrace(), time.time(), None
        settings, preview, paused, withheld = None, SubmitPreview(), False, list[str]()
        try:
            settings = self.settings()
            request = SubmitRequest(target, [params], init, given, tell=self._notes.show)
            prepared = preparation.prepare_submit(request, settings, now, trace, preview=True)
            database = self._database_if_any(settings)
            if database is not None:
                paused = queries.is_paused(database, prepared.options.queue)
                withheld = interrupt_shield.run(lambda: supervision.withheld(StateFolder(os.path.dirname(database.path))))
                job = replace(prepared.job.submission, after=dependencies.ids(database, prepared.options.after))
                preview = submissions.preview(database, job)
                database.check_journal()
            elif prepared.options.after:
                raise UnknownJob("There are no jobs yet, so the new job can't depend on one.")
        except BackgroundJobError as error:
            refusal = str(error)
        asked = {"init": init or {}, "params": params or {}}
        return explanation.explain(trace, ExplainContext(target, asked, refusal, settings, preview, now, paused, withheld))

    def _database_if_any(self, settings: Settings) -> Database | None:
        """Return the store, if it exists; no supervisor is woken."""
        folder = StateFolder(loading.state_folder(settings))
        if folder.path in self._databases or not os.path.exists(folder.database):
            return self._databases.get(folder.path)
        return interrupt_shield.run(lambda: Database(folder.database, durable=True))

    def prepare_here(
        self, target: str | Called, params: Mapping[str, Any] | None = None, *, init: Mapping[str, Any] | None = None
    ) -> Callable[[], Any]:
        """Return a function that runs a call in this process; see `ipybgjobs.run_here`."""
        called, tell = callables.called(target), self._notes.show
        request = SubmitRequest(called.target, [params], init, {}, instance=called.instance, tell=tell)
        permission, encoded, inspected = preparation.bind_call(request, self.settings())
        return in_process.prepare_call(permission, encoded.call, encoded.pickled, inspected.calls[0].positional, tell)

    # -- changes --------------------------------------------------------------------------------------------------

    def retry(self, folder: StateFolder, job_ids: Sequence[int]) -> None:
        """Ask for another attempt of jobs, in the context of each, with this process's environment."""
        now, found = self.submit_context(), queries.contexts_of(self.database(folder), job_ids)
        again = {text: _retried(text, now) for text in {*found.values()}}
        contexts = {job_id: again[found[job_id]] if job_id in found else now for job_id in job_ids}
        self._writer(folder).retry(contexts, Owner(place.here(), identity.host()), time.time())

    def cancel(self, folder: StateFolder, job_ids: Sequence[int], grace: float | None) -> None:
        """Ask the supervisors to cancel the unfinished ones of these jobs."""
        self._writer(folder).cancel(job_ids, grace, time.time())

    def call_when_ended(self, folder: StateFolder, job_id: int, function: Callable[[], object]) -> None:
        """Call a function in a thread of this process when a job has ended."""
        new = Callbacks(lambda ids: listing.ended_states(self.database(folder), ids), lambda: wake.ensure_running(folder))
        self._callbacks.setdefault(folder.path, new).add(job_id, function)

    def cancel_group(self, folder: StateFolder, group_id: int, grace: float | None) -> None:
        """Ask the supervisors to cancel the unfinished jobs of a group."""
        self._writer(folder).cancel_group(group_id, grace, time.time())

    def set_priority(self, folder: StateFolder, job_ids: Sequence[int], priority: int) -> list[int]:
        """Change the priority of the queued ones of these jobs, and return their ids."""
        return self._writer(folder).set_priority(job_ids, priority)

    def keep(self, folder: StateFolder, job_ids: Sequence[int], *, kept: bool) -> list[int]:
        """Exempt jobs from clean and retention, or stop exempting them; return the ids of those that exist."""
        return self._writer(folder).keep(job_ids, kept=kept)

    def remove(self, folder: StateFolder, job_ids: Sequence[int], removal_filter: RemovalFilter | None = None) -> list[str]:
        """Remove finished jobs and all their files, if they still match the filter; return the uids of those removed."""
        return self._writer(folder).remove(job_ids, removal_filter)

    @interrupt_shield.explains_interrupts
    def pause(self, queue: str | None) -> list[str]:
        """Pause a queue, or all; return the queues that this paused."""
        settings, folder = self.settings(), self.folder()
        database = self.database(folder)
        every = dict.fromkeys([*settings.queues, *queries.queues_in_use(database)])
        names = list(every) if queue is None else [options.queue(queue, settings)]
        self._writer(folder).pause(names, time.time())
        return names

    @interrupt_shield.explains_interrupts
    def resume(self, queue: str | None) -> list[str]:
        """Resume a queue, or all; return the queues that were paused.

        Raises
        ------
        InvalidRequest
            If the queue is not paused.
        """
        folder = self.folder()
        database = self.database(folder)
        if queue is not None and queue not in queries.paused(database):
            options.queue(queue, self.settings())
            raise InvalidRequest(f"The queue {queue} is not paused; its jobs start as soon as a slot is free.")
        return self._writer(folder).resume(queue)

    def submit_context(self, path_prefix: tuple[str, ...] = ()) -> SubmitContext:
        """Return this process's context and environment variables; rebuilt only if something has changed.

        `path_prefix`: folders that go first on the import path.
        """
        environment = dict(os.environ)
        if self._environment is None or self._environment[0] != environment:
            text = json.dumps(environment)
            self._environment = (environment, text, hashlib.sha256(text.encode()).hexdigest())
        context = self._context_cache.current(
            self._settings.files(), environment, interrupt_shield.run(identity.umask), path_prefix
        )
        return SubmitContext(context, *self._environment[1:])


def _retried(context: str, now: SubmitContext) -> SubmitContext:
    """Return what a further attempt of a job with this context runs in; if the context can't be read, that of now."""
    try:
        own = Context.from_text(context)
    except ValueError:
        return now
    again = targets_context.retried(own, Context.from_text(now.context), os.environ)
    return SubmitContext(again.to_text(), now.environment, now.digest)


_client: Client | None = None


def client() -> Client:
    """Return the client of this process.

    Raises
    ------
    StoreError
        If processes can't be told apart here (see `identity.check`).
    """
    identity.check()
    global _client  # noqa: PLW0603 - one a process
    if _client is None:
        _client = Client()
    return _client


def use(other: Client | None) -> None:
    """Set the client of this process: a notebook's, which knows its profile and its settings."""
    global _client  # noqa: PLW0603 - one a process
    _client = other
