"""Judge the attempts that have ended, each with its row, before the transaction that records their ends.

Reading files, blanking secrets and hashing sources may take time, so no writer to the store has to wait for them.
"""

import sqlite3
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from ..configuration.settings import CELL
from ..executors.exit import Exit
from ..model import redaction
from ..model.records import Outcome
from ..model.retry import Failure
from ..store.schedule import Schedule
from ..store.scheduled_job import Claim, ScheduledJob, UnreadableJob
from ..store.transitions import Verdict
from ..system.oom import OomKills
from ..targets import source
from .attempts import Attempts
from .configurations import ConfigurationCache
from .running import ActiveAttempt
from .verdict import judge

#: The target of a cell as a job.
_CELL = f"{CELL}.run"


class End(Struct, frozen=True):
    """The end of an attempt, as determined."""

    run: ActiveAttempt
    claim: Claim | None  #: None if its rows are gone
    verdict: Verdict
    failure: Failure
    random_draw: float = 0.0  #: in [0, 1), for jitter: drawn before the transaction, which may be repeated


class Judge:
    """Judges how attempts ended.

    Parameters
    ----------
    attempts : Attempts
        The attempts that the supervisor is handling; read, not changed.
    configurations : ConfigurationCache
        The configuration files' settings.
    memory_kills : OomKills
        The kernel's count of out-of-memory kills.
    draw : callable
        Returns a random number in [0, 1), for jitter.
    """

    def __init__(
        self, attempts: Attempts, configurations: ConfigurationCache, memory_kills: OomKills, draw: Callable[[], float]
    ) -> None:
        self._attempts = attempts
        self._configurations = configurations
        self._memory_kills = memory_kills
        self._draw = draw

    def judge_all(self, queues: Schedule) -> list[End]:
        """Judge the attempts that have ended.

        Parameters
        ----------
        queues : Schedule
            Reads the rows.

        Raises
        ------
        sqlite3.Error
            If the store can't be read.
        """
        found = []
        for end in self._attempts.ended.values():
            run = self._attempts.running[end.folder]
            claim = queues.claimed(run.job_id, run.number)
            verdict, failure = (Verdict(Outcome.LOST), Failure()) if claim is None else self._judge(end, run, claim, queues)
            found.append(End(run, claim, _with_remains(_as_adopted(verdict, run), run), failure, self._draw()))
        return found

    def _judge(self, end: Exit, run: ActiveAttempt, claim: Claim, queues: Schedule) -> tuple[Verdict, Failure]:
        if run.refused is not None:
            return Verdict(Outcome.DENIED, run.refused), Failure(fatal=True)
        if run.trouble is not None:
            verdict = Verdict(claim.ending or Outcome.LOST, f"it could not be inspected: {run.trouble}")
            return verdict, Failure(lost=claim.ending is None)
        job = claim.job
        if isinstance(job, UnreadableJob):
            return Verdict(Outcome.LOST, f"its row in the store can't be read: {job.reason}"), Failure(fatal=True)
        try:
            verdict, failure = judge(
                end,
                claim.ending,
                lambda: self._secrets(job, queues),
                lambda: self._ran_out_of_memory(run),
                is_cell=job.target == _CELL,
            )
            return replace(verdict, source=_as_run(verdict, job)), failure
        except sqlite3.Error:
            raise
        except Exception as error:  # a folder written by any program must not end the supervisor
            unread = f"its outcome can't be read: {type(error).__name__}"
            return Verdict(claim.ending or Outcome.LOST, unread), Failure(lost=claim.ending is None)

    def _ran_out_of_memory(self, run: ActiveAttempt) -> bool:
        """Return whether the kernel's OOM killer has killed any process since an attempt was launched."""
        return run.memory_kills is not None and run.memory_kills != self._memory_kills.count()

    def _secrets(self, job: ScheduledJob, queues: Schedule) -> tuple[str, ...]:
        hidden = job.record.call.hidden
        environment = None if job.environment is None else queues.environment(job.environment)
        values = {} if environment is None else environment.variables()
        names = redaction.secret_names(values, self._configurations.latest.secret_names)
        return (*hidden, *(values[name] for name in names))


def _as_run(verdict: Verdict, job: ScheduledJob) -> list[object] | None:
    """Return the file that ran, with its hash if that is known; otherwise as the worker saw it."""
    ran = source.as_run(verdict.source, job.source)
    return verdict.source if ran is None else ran.to_json()


def _as_adopted(verdict: Verdict, run: ActiveAttempt) -> Verdict:
    """Use the note of the user who adopted the job, if the attempt's end was not observed."""
    return replace(verdict, error=run.adopted) if run.adopted and verdict.outcome is Outcome.LOST else verdict


def _with_remains(verdict: Verdict, run: ActiveAttempt) -> Verdict:
    if not run.survivors:
        return verdict
    left = f"could not be killed: PID {', '.join(map(str, run.survivors))}"
    return replace(verdict, error=f"{verdict.error}; {left}" if verdict.error else left)
