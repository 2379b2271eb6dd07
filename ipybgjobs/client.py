"""The way in: checks the allowlist, binds the parameters, commits one row, wakes the supervisor, returns.

The only writer on the user's side; magics and command line are thin skins over it.
"""

import hashlib
import json
import os
import sys
import time
import types
from collections.abc import Callable, Mapping
from typing import Any

from . import allowlist, attempt, inspection, options, parameters, redaction, snapshot, summon
from .configuration import loading, sources
from .configuration.live import LiveTraits
from .errors import InvalidParameters, JobNotAllowed, StoreError
from .folder import StateFolder
from .handle import Job
from .models import JobState, Owner
from .process import identity, surroundings
from .settings import DEFAULT_QUEUE, Settings
from .store import records, submissions
from .store.database import Database
from .store.submissions import Submission, Surroundings


def _on_standard_error(note: str) -> None:
    print(note, file=sys.stderr)  # noqa: T201 - where a script's notes belong


class Client:
    """One user's view of the store.

    Parameters
    ----------
    profile : str, optional
        Folder of the IPython profile whose configuration files count; by default the default profile's.
    live : LiveTraits, optional
        What the running notebook has set.
    tell : callable
        Shows a person a note; by default on standard error.
    """

    def __init__(
        self, profile: str | None = None, live: LiveTraits | None = None, tell: Callable[[str], None] = _on_standard_error
    ) -> None:
        self._tell = tell
        self._profile = profile
        self._live = live
        self._read: tuple[list[sources.Source], sources.Signature, Settings] | None = None
        self._databases: dict[str, Database] = {}
        self._sources: tuple[Any, list[sources.Source]] | None = None
        self._environment: tuple[dict[str, str], str, str] | None = None  # variables, as text, digest
        self._camera = snapshot.Camera()

    # -- what there is --------------------------------------------------------------------------------------------

    def settings(self) -> Settings:
        """Return what the configuration files say now, as this notebook narrows it.

        Raises
        ------
        ConfigurationError
            If a file is broken.
        """
        found = self._found()
        signature = sources.signature(source.path for source in found)
        if self._read is None or self._read[:2] != (found, signature):
            self._read = (found, signature, loading.load(found))
        settings = self._read[2]
        return settings if self._live is None else self._live.apply(settings)

    def _found(self) -> list[sources.Source]:
        """Which files count; looked for again when a variable that decides it has changed."""
        key = (snapshot.working_directory(), *map(os.environ.get, sources.DECIDING))
        if self._sources is None or self._sources[0] != key:
            self._sources = (key, sources.find(self._profile))
        return self._sources[1]

    def folder(self) -> StateFolder:
        """Return the state folder, which exists from here on."""
        folder = StateFolder(loading.state_folder(self._settings_or_default()))
        if folder.path not in self._databases or not os.path.exists(folder.path):
            folder.create()
        return folder

    def _settings_or_default(self) -> Settings:
        """Looking at jobs needs no sound configuration, unless it names the state folder."""
        if os.environ.get(loading.STATE_VARIABLE):
            return Settings()
        return self.settings()

    def database(self, folder: StateFolder) -> Database:
        """Open the store; the first opening starts a supervisor where work waits and none runs."""
        database = self._databases.get(folder.path)
        if database is None or not os.path.exists(folder.database):
            database = self._databases[folder.path] = Database(folder.database, durable=True)
            if records.has_work(database, identity.host()):
                _wake(folder)
        return database

    def jobs(self, limit: int, **filters: Any) -> list[Job]:
        """Return jobs, newest first."""
        folder = self.folder()
        found = records.jobs(self.database(folder), limit, **filters)
        return [Job(self, folder, record.id, record.uid) for record in found]

    def job(self, key: int | str) -> Job:
        """Return one job."""
        folder = self.folder()
        record = records.job(self.database(folder), key)
        return Job(self, folder, record.id, record.uid)

    def close(self) -> None:
        """Close what this thread has open."""
        for database in self._databases.values():
            database.close()

    # -- a new one ------------------------------------------------------------------------------------------------

    def submit(  # noqa: PLR0913 - the options of a job
        self,
        target: str,
        params: Mapping[str, Any] | None = None,
        *,
        init: Mapping[str, Any] | None = None,
        name: str | None = None,
        queue: str | None = None,
        priority: int = 0,
        delay: float | str | None = None,
        timeout: float | str | None = None,
        retry: int | Mapping[str, Any] | None = None,
    ) -> Job:
        """See `submit` below."""
        settings = self.settings()
        permission = allowlist.find(target, settings)
        entry = permission.entry
        init, params = options.mapping(init, "init"), options.mapping(params, "params")
        secrets = redaction.secret_names({**init, **params}, settings.secret_names)
        bound = inspection.look(permission, init, params, secrets)
        now = time.time()
        uid = os.urandom(16).hex()
        snapshot.check_working_directory()
        call, pickled = parameters.split(permission.target, bound, secrets)
        job = Submission(
            uid=uid,
            call=call,
            positional=bound.positional,
            name=options.name(name),
            queue=options.queue(queue or entry.queue or DEFAULT_QUEUE, settings),
            priority=options.priority(priority),
            not_before=now + (0.0 if delay is None else options.duration(delay, "delay")),
            submitted_at=now,
            rules=options.rules(entry, retry),
            timeout=entry.timeout if timeout is None else options.duration(timeout, "timeout"),
            owner=Owner(identity.host(), identity.pid_namespace()),
        )
        folder = self.folder()
        database = self.database(folder)
        if pickled is not None:
            parameters.keep(folder.job(uid), pickled)
        job_id = submissions.submit(database, job, self._surroundings())
        _wake(folder)
        self._tell_surroundings(folder)
        return Job(self, folder, job_id, uid)

    def _tell_surroundings(self, folder: StateFolder) -> None:
        """Say once, for a state folder on a host, what ends all processes here."""
        told = folder.told(identity.host())
        if os.path.exists(told):
            return
        warning = surroundings.warning()
        attempt.write_whole(told, (warning or "").encode())
        if warning:
            self._tell(f"Note: {warning}")

    def retry(self, folder: StateFolder, job_id: int) -> None:
        """Ask for another attempt, in this process's context."""
        database = self.database(folder)
        owner = Owner(identity.host(), identity.pid_namespace())
        submissions.request_retry(database, job_id, owner, self._surroundings(), time.time())
        _wake(folder)

    def cancel(self, folder: StateFolder, job_id: int, host: str, grace: float | None) -> None:
        """Ask the host's supervisor to cancel a job."""
        submissions.request_cancel(self.database(folder), job_id, host, grace, time.time())
        _wake(folder)

    def _surroundings(self) -> Surroundings:
        """This process's context and environment variables; made anew only where something has changed."""
        environment = dict(os.environ)
        if self._environment is None or self._environment[0] != environment:
            text = json.dumps(environment)
            self._environment = (environment, text, hashlib.sha256(text.encode()).hexdigest())
        context = self._camera.take(self._found(), environment, identity.umask())
        return Surroundings(context, *self._environment[1:])


def _wake(folder: StateFolder) -> None:
    try:
        summon.summon(folder)
    except OSError as error:
        raise StoreError(
            f"The job is kept in {folder.path}, but no supervisor can be started ({error}); it runs as soon as one can."
        ) from error


_client: Client | None = None


def client() -> Client:
    """Return the client of this process."""
    global _client  # noqa: PLW0603 - one a process
    if _client is None:
        _client = Client()
    return _client


def use(other: Client | None) -> None:
    """Make a client this process's: a notebook's, which knows its profile and what it has set."""
    global _client  # noqa: PLW0603 - one a process
    _client = other


def submit(target: str, params: Mapping[str, Any] | None = None, **options: Any) -> Job:
    """Submit a job: it is on disk when this returns, and runs whatever ends next.

    Parameters
    ----------
    target : str
        ``module.Class.method``, ``module.function``, or ``Class.method`` where only one allowed class bears the name.
    params : mapping, optional
        Parameters by name; values that are not plain JSON are sent by pickle.
    init : mapping, optional
        Parameters of the constructor.
    name : str, optional
        A name to find the job by.
    queue : str, optional
        By default the allowlist entry's, else ``"default"``.
    priority : int, optional
        Higher first, then oldest; 0 by default.
    delay : float or str, optional
        Do not start earlier than after this duration: seconds, or text such as ``"10m"``.
    timeout : float or str, optional
        Duration after which an attempt is ended; by default the entry's, else none.
    retry : int or mapping, optional
        ``max_attempts``, or settings of `RetryPolicy` that differ for this job.

    Returns
    -------
    Job
        The accepted job.

    Raises
    ------
    JobNotAllowed
        If the target is not on the allowlist.
    InvalidTarget
        If the target can't be imported or called.
    InvalidParameters
        If parameters or options don't fit.
    ConfigurationError
        If a configuration file is broken.
    StoreError
        If the state folder can't be used.
    """
    return client().submit(target, params, **options)


def run_background_job(
    cls: type | Callable[..., Any] | str,
    method: str | None = None,
    params: Mapping[str, Any] | None = None,
    **options: Any,
) -> Job:
    """Submit a job by class, method name and parameters: the classic helper.

    Parameters
    ----------
    cls : type or callable or str
        The class, or its dotted path; or a function, with `method` None.
    method : str, optional
        The method's name.
    params : mapping, optional
        Parameters by name.
    **options : Any
        As for `submit`.
    """
    if not isinstance(cls, str) and not hasattr(cls, "__qualname__"):
        raise JobNotAllowed(f"{cls!r} is neither a class nor a function; give the class itself, not an instance.")
    if not isinstance(getattr(cls, "__self__", None), (type, types.ModuleType, types.NoneType)):
        raise JobNotAllowed(
            f"{cls!r} belongs to an instance, which is not sent: give the class, the method's name, and init={{…}}."
        )
    key = cls if isinstance(cls, str) else path_of(cls)
    return submit(key if method is None else f"{key}.{method}", params, **options)


def path_of(cls: type | Callable[..., Any]) -> str:
    """Return the dotted path of a class or function: its own, or the one by which it is allowed, where it is re-exported."""
    own = f"{cls.__module__}.{cls.__qualname__}"
    allowed = client().settings().allowed
    if own in allowed:
        return own
    for key in allowed:
        module, _, name = key.rpartition(".")
        if getattr(sys.modules.get(module), name, None) is cls:
            return key
    return own


def jobs(
    state: str | None = None,
    queue: str | None = None,
    target: str | None = None,
    name: str | None = None,
    limit: int = 50,
) -> list[Job]:
    """Return jobs, newest first.

    Parameters
    ----------
    state, queue, target, name : str, optional
        Only those that match.
    limit : int
        At most so many.
    """
    if state is not None and state not in list(JobState):
        raise InvalidParameters(f"There is no state {state!r}; the states are {', '.join(JobState)}.")
    return client().jobs(limit, state=state, queue=queue, target=target, name=name)


def job(key: int | str) -> Job:
    """Return one job.

    Parameters
    ----------
    key : int or str
        Its id, its uid, or its name (the newest so named).

    Raises
    ------
    UnknownJob
        If there is none.
    """
    return client().job(key)
