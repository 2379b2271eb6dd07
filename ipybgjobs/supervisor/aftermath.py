"""Consequences of a job's end: its dependent jobs, the hook of its class, the command of `on_finish`.

It changes only the store; the command is run after the commit.
"""

from dataclasses import dataclass

from ..model import durations
from ..model.records import JobState
from ..store.task import Task, Unread
from .configurations import Policies
from .effects import Notice, Step


@dataclass(frozen=True, slots=True)
class _Ended:
    """A job that has just ended."""

    job: Task | Unread
    state: JobState
    error: str | None


class Aftermath:
    """Carries out the consequences of jobs' ends.

    Parameters
    ----------
    policies : Policies
        The configuration files' settings.
    """

    def __init__(self, policies: Policies) -> None:
        self._policies = policies

    def follow(self, step: Step, job: Task | Unread, state: JobState, error: str | None) -> None:
        """Carry out the consequences of a job's end.

        Parameters
        ----------
        step : Step
            The transaction.
        job : Task or Unread
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
                step.effects.environments.add(end.job.environment)
            self._notify(step, end)
            failing = step.schedule.release_after(end.job.id, succeeded=end.state is JobState.SUCCEEDED)
            for later in step.schedule.jobs(failing):
                ends += _fail(step, later, end)

    def _notify(self, step: Step, end: _Ended) -> None:
        template, job = self._policies.latest.on_finish, end.job
        environment = step.variables(job.environment)
        if not template or environment is None or isinstance(job, Unread):
            return
        fields = _fields(job, end, step.schedule.now)
        command = tuple(_filled(word, fields) for word in template)
        step.effects.notices.append(Notice(job.id, command, environment, job.context.cwd))


def _fail(step: Step, job: Task | Unread, end: _Ended) -> list[_Ended]:
    """Fail a job that needed another's success."""
    was = "was cancelled" if end.state is JobState.CANCELLED else "failed"
    error = f"job {end.job.id} ({end.job.target}), which it depends on, {was}"
    if not step.change.fail_queued(job.id, error):
        return []
    step.effects.say(f"job {job.id} failed before it started: {error}")
    return [_Ended(job, JobState.FAILED, error)]


def _fields(job: Task, end: _Ended, now: float) -> dict[str, str]:
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
