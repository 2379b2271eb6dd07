"""Read a job and its state, live from the store and the attempt folders; it changes nothing."""

import itertools
from typing import Any

from ...errors import BackgroundJobError, ParametersNotLoaded
from ...model import redaction, serialization
from ...model.records import Attempt, JobRecord, JobState
from ...model.scalars import Scalar
from ...state import attempt, disk_usage, log_search, outputs, ownership, recorded_values, reports
from ...state import progress as progress_of
from ...state.folder import StateFolder
from ...state.log_search import Match
from ...state.progress import Progress
from ...state.text_log import TextLog
from ...store import queries
from ...store.database import Database
from ...system import private_file
from ...targets import origin
from ..submit import options
from . import attempt_folders, job_status, leftover_processes
from .job_client import JobClient
from .job_status import JobStatus
from .leftover_processes import Leftover


class JobView:
    """One job, read-only.

    Everything is read when it is accessed: `UnknownJob` is raised once the job has been removed, `StoreError` if its state
    folder can't be used.

    Parameters
    ----------
    client : JobClient
        The client whose store it is in.
    folder : StateFolder
        The state folder.
    id : int
        The job's id in this store.
    uid : str
        The job's identifier, unique across machines.
    """

    def __init__(self, client: JobClient, folder: StateFolder, id: int, uid: str) -> None:  # noqa: A002 - its public name
        self._client = client
        self._folder = folder
        self.id = id
        self.uid = uid

    @property
    def client(self) -> JobClient:
        """The client that reads and changes the job."""
        return self._client

    @property
    def state_folder(self) -> StateFolder:
        """The state folder that it is in."""
        return self._folder

    def record(self) -> JobRecord:
        """Return what the store says about the job now; if its row can't be read, its error says so."""
        found = queries.shown_job(self._database(), self.uid)
        if not found.state.ended:
            self._client.ensure_supervisor(self._folder)
        return found

    def _whole_record(self) -> JobRecord:
        """Return the complete job, with its parameters and which values are secret."""
        return queries.job(self._database(), self.uid)

    def _database(self) -> Database:
        return self._client.database(self._folder)

    # -- its call and options -----------------------------------------------------------------------------------------------

    @property
    def target(self) -> str:
        """The dotted path of the target."""
        return self.record().call.target

    @property
    def params(self) -> dict[str, Any]:
        """The parameters, as they were converted at submit.

        Raises
        ------
        ParametersNotLoaded
            If a module or class that a pickled one needs is missing in this process.
        """
        call = self._whole_record().call
        return {**call.params, **self._pickled(serialization.PARAMS, call.pickled)}

    @property
    def init(self) -> dict[str, Any]:
        """The constructor's parameters.

        Raises
        ------
        ParametersNotLoaded
            As for `params`.
        """
        call = self._whole_record().call
        return {**call.init, **self._pickled(serialization.INIT, call.pickled)}

    @property
    def instance(self) -> Any:
        """The instance whose method is called, as it was at submit; None if the job makes its own, or needs none.

        Raises
        ------
        ParametersNotLoaded
            As for `params`.
        """
        return self._pickled(serialization.INSTANCE, self._whole_record().call.pickled).get(serialization.SELF)

    def changes(self) -> list[str]:
        """Return what changed between submit and run, between attempts, and since the success of the target before this job.

        Returns
        -------
        list of str
            One sentence for each change: of the source file, git commit, interpreter or packages.
        """
        attempts, database = self.attempts, self._database()
        submitted = queries.submitted_source(database, self.id)
        said = [
            f"the code changed between submit and attempt {each.number}: {each.source.path}"
            for each in attempts[:1]
            if each.source and submitted and each.source.digest != submitted.digest
        ]
        for before, after in itertools.pairwise(attempts):
            said += _since(f"attempt {before.number}", _differences(database, before, after))
        earlier = queries.last_success(database, self.target, self.id) if self.state.ended and attempts else None
        tried = [] if earlier is None else queries.attempts(database, earlier)  # none: it was removed meanwhile
        for good in tried[-1:]:
            said += _since(f"job {earlier}, which succeeded", _differences(database, good, attempts[-1]))
        return said

    def _pickled(self, part: str, descriptions: dict[str, str]) -> dict[str, Any]:
        if not serialization.of_part(descriptions, part):
            return {}
        values: dict[str, Any] = {}
        group = self.group
        for uid in ([] if group is None else [group.uid]) + [self.uid]:
            values |= self._loaded(f"{self._folder.job(uid)}/{attempt.PARAMETERS}")
        return serialization.of_part(values, part)

    def _loaded(self, path: str) -> dict[str, Any]:
        """Return pickled parameters; none if there is no such file."""
        try:
            values: dict[str, Any] = serialization.load(ownership.read(path))
        except FileNotFoundError:
            return {}
        except BackgroundJobError:
            raise
        except (Exception, SystemExit) as problem:
            reason = redaction.one_line(f"{type(problem).__name__}: {problem}")
            raise ParametersNotLoaded(
                f"The parameters of job {self.id} can't be loaded here: {reason}. They were pickled at submit and need the "
                "modules and classes that they are made of: make these importable under the same names, or submit the job again."
            ) from problem
        return values

    @property
    def name(self) -> str | None:
        """The job's name, if it has one."""
        return self.record().name

    @property
    def queue(self) -> str:
        """The queue it waits or waited in."""
        return self.record().queue

    @property
    def priority(self) -> int:
        """Jobs of higher priority run first; it can be changed while the job is queued."""
        return self.record().priority

    @property
    def after(self) -> list[int]:
        """Ids of the jobs that it depends on."""
        return queries.dependencies(self._database(), self.id)

    @property
    def retried_from(self) -> int | None:
        """The job that this one repeats with changed parameters."""
        return self.record().retried_from

    @property
    def group(self) -> Any:
        """The group that it was submitted in; None if it was submitted alone."""
        group_id = self.record().group_id
        return None if group_id is None else self._client.group(group_id)

    @property
    def disk_bytes(self) -> int:
        """Disk space that its folder takes, in bytes."""
        return disk_usage.of_folder(self._folder.job(self.uid))

    # -- its state ------------------------------------------------------------------------------------------------

    @property
    def state(self) -> JobState:
        """``queued``, ``retrying``, ``running``, ``succeeded``, ``failed`` or ``cancelled``, now."""
        found = queries.state(self._database(), self.id)
        if not found.ended:
            self._client.ensure_supervisor(self._folder)
        return found

    @property
    def status(self) -> str:
        """The state in words, with the time of a retry, the reason why it waits, or its progress."""
        return self.job_status().text

    def job_status(self) -> JobStatus:
        """Return the state in words, why it waits, how long such jobs usually run, and whether it is overdue."""
        return job_status.of_jobs(self._client, self._folder, [self.record()])[self.id]

    @property
    def error(self) -> str | None:
        """The last failure on one line, also while the job waits for a retry; None if there was none."""
        return self.record().error

    @property
    def attempts(self) -> list[Attempt]:
        """Every attempt, oldest first."""
        found = queries.attempts(self._database(), self.id)
        if not found:
            queries.state(self._database(), self.id)  # raises if the job no longer exists
        return found

    @property
    def hook(self) -> Attempt | None:
        """The attempt that called its class's hook; None if there was none."""
        return queries.hook(self._database(), self.id)

    @property
    def traceback(self) -> str | None:
        """The traceback of the last attempt that left one, as text."""
        found = [each.traceback for each in self.attempts if each.traceback]
        return found[-1] if found else None

    @property
    def progress(self) -> Progress | None:
        """The progress of the newest attempt, as reported by the job; None if it reported none."""
        folder = self._newest_folder()
        return None if folder is None else progress_of.of_attempt(folder)

    @property
    def values(self) -> dict[str, Scalar]:
        """The values that the newest attempt has recorded by `ipybgjobs.record`, the latest of each name."""
        folder = self._newest_folder()
        return {} if folder is None else recorded_values.of_attempt(folder)

    @property
    def withheld(self) -> list[str]:
        """Which of its submitter's limits, niceness and processors the system did not grant to the newest attempt."""
        folder = self._newest_folder()
        found = None if folder is None else private_file.read_json(folder, attempt.WITHHELD)
        values = (found or {}).get("withheld")
        return list(map(str, values)) if isinstance(values, list) else []

    def left_running(self) -> list[Leftover]:
        """Return the processes that attempts of this job left running when they ended, and that still run here."""
        attempts = [*self.attempts, *filter(None, [self.hook])]
        ended = [self._folder.attempt(each.folder) for each in attempts if each.folder and each.ended_at]
        return leftover_processes.of_attempts(ended, self.record().call.hidden) if ended else []

    def _newest_folder(self) -> str | None:
        """Return the folder of the newest attempt that was launched."""
        return attempt_folders.newest(self._folder, self.attempts)

    def _folder_of(self, number: int | None) -> str | None:
        """Return the folder of an attempt, or of the newest; None if it was not launched."""
        return self._newest_folder() if number is None else attempt_folders.numbered(self._folder, self.id, self.attempts, number)

    def outputs(self, attempt: int | None = None) -> list[Any]:
        """Return what an attempt printed and displayed, and what it returned, as a list of nbformat outputs.

        Parameters
        ----------
        attempt : int, optional
            Its number, from 1; by default the newest.

        Raises
        ------
        InvalidParameters
            If the job has no such attempt.
        """
        from ...notebooks import format_library

        from_dict = format_library.load().from_dict
        return [from_dict(output) for output in self.plain_outputs(attempt)]

    def plain_outputs(self, attempt: int | None = None) -> list[dict[str, Any]]:
        """Return the same outputs as plain dicts, without nbformat, whose import takes seconds."""
        folder = self._folder_of(attempt)
        if folder is None:
            return []
        report = reports.outcome(folder)
        found = outputs.of_attempt(folder, None if report is None else report.result)
        return outputs.without_secrets(found, self._whole_record().call.hidden)

    def log(self, tail: int | None = None, attempt: int | None = None, *, grep: str | None = None) -> str:
        """Return what an attempt printed, including errors.

        Parameters
        ----------
        tail : int, optional
            Number of lines to return from the end, at least 0; all by default.
        attempt : int, optional
            Its number, from 1; by default the newest.
        grep : str, optional
            A regular expression: only lines in which it is found are returned, as ``NUMBER:LINE``; `tail` then counts these.
            ``(?i)`` at its beginning ignores case.

        Raises
        ------
        InvalidParameters
            If the job has no such attempt, `tail` is not a number of lines, or `grep` is not a regular expression.
        """
        if grep is not None:
            return "".join(f"{match}\n" for match in self.log_matches(grep, tail, attempt))
        lines = None if tail is None else options.count(tail, "tail")
        folder = self._folder_of(attempt)
        if folder is None:
            return ""
        return TextLog(folder).text() if lines is None else TextLog(folder).tail(lines)

    def log_matches(self, grep: str, tail: int | None = None, attempt: int | None = None) -> list[Match]:
        """Return the lines of an attempt's log in which a regular expression is found, with their numbers; see `log`.

        Raises
        ------
        InvalidParameters
            As `log`.
        """
        wanted, lines = log_search.pattern(grep), None if tail is None else options.count(tail, "tail")
        folder = self._folder_of(attempt)
        return [] if folder is None else log_search.matches(TextLog(folder), wanted, lines)


def _since(what: str, differences: list[str]) -> list[str]:
    return [f"changed since {what}: {', '.join(differences)}"] if differences else []


def _differences(database: Database, before: Attempt, after: Attempt) -> list[str]:
    """Return what differs between two attempts, each in a few words."""
    found = origin.differences(queries.origin(database, before.origin_id), queries.origin(database, after.origin_id))
    changed = before.source and after.source and before.source.digest != after.source.digest
    return [f"the code ({after.source.path})", *found] if changed and after.source else found
