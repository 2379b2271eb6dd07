"""Consequences of a job's end: its dependent jobs, the hook of its class, the command of `on_finish`.

It changes only the store; the command is run after the commit.
"""

from msgspec import Struct

from ..model import durations
from ..model.records import JobState
from ..store.scheduled_job import ScheduledJob, UnreadableJob
from .configurations import ConfigurationCache
from .effects import FinishCommand, Transaction


class _Ended(Struct, frozen=True):
    """A job that has just ended."""

    job: ScheduledJob | UnreadableJob
    state: JobState
    error: str | None


class Aftermath:
    """Carries out the consequences of jobs' ends.

    Parameters
    ----------
    configurations : ConfigurationCache
        The configuration files' settings.
    """

    def __init__(self, configurations: ConfigurationCache) -> None:
        self._configurations = configurations

    def follow(self, transaction: Transaction, job: ScheduledJob | UnreadableJob, state: JobState, error: str | None) -> None:
        """Carry out the consequences of a job's end.

        Parameters
        ----------
        transaction : Transaction
            The transaction.
        job : ScheduledJob or UnreadableJob
            The job, as it was before it ended.
        state : JobState
            How it ended.
        error : str or None
            One line.
        """
        ends = [_Ended(job, state, error)]
        while ends:
            end = ends.pop()
            if end.job.environment is not None:
                transaction.effects.environments.add(end.job.environment)
            self._notify(transaction, end)
            failing = transaction.schedule.release_after(end.job.id, succeeded=end.state is JobState.SUCCEEDED)
            for later in transaction.schedule.jobs(failing):
                ends += _fail(transaction, later, end)

    def _notify(self, transaction: Transaction, end: _Ended) -> None:
        template, job = self._configurations.latest.on_finish, end.job
        environment = transaction.variables(job.environment)
        if not template or environment is None or isinstance(job, UnreadableJob):
            return
        fields = _fields(job, end, transaction.schedule.now)
        command = tuple(_filled(word, fields) for word in template)
        transaction.effects.finish_commands.append(FinishCommand(job.id, command, environment, job.context.cwd))


def _fail(transaction: Transaction, job: ScheduledJob | UnreadableJob, end: _Ended) -> list[_Ended]:
    """Fail a job that needed another's success."""
    was = "was cancelled" if end.state is JobState.CANCELLED else "failed"
    error = f"job {end.job.id} ({end.job.target}), which it depends on, {was}"
    if not transaction.change.fail_queued(job.id, error):
        return []
    transaction.effects.log(f"job {job.id} failed before it started: {error}")
    return [_Ended(job, JobState.FAILED, error)]


def _fields(job: ScheduledJob, end: _Ended, now: float) -> dict[str, str]:
    record = job.record
    elapsed = record.elapsed(now)
    return {
        "id": str(record.id),
        "uid": record.uid,
        "name": record.name or "",
        "target": record.call.target,
        "state": end.state,
        "error": end.error or "",
        "queue": record.queue,
        "elapsed": "" if elapsed is None else durations.show(elapsed),
    }


def _filled(word: str, fields: dict[str, str]) -> str:
    """Fill in the fields, each once: inserted values are not expanded again."""
    parts = word.split("{")
    filled = parts[0]
    for part in parts[1:]:
        name, closing, rest = part.partition("}")
        filled += fields[name] + rest if closing and name in fields else "{" + part
    return filled
