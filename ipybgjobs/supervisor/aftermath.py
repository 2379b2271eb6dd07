"""What the end of a job means for others: those that come after it, the hook of its class, the command of `on_finish`.

It changes the store and nothing else; the command is run once that is committed.
"""

import sqlite3
from dataclasses import dataclass

from .. import durations
from ..models import JobState
from ..snapshot import Context
from ..store import records
from .effects import Notice, Step
from .policies import Policies


@dataclass(frozen=True, slots=True)
class _Ended:
    """A job that has just ended."""

    row: sqlite3.Row
    state: JobState
    error: str | None


class Aftermath:
    """Follows ends of jobs.

    Parameters
    ----------
    policies : Policies
        What the configuration files say.
    """

    def __init__(self, policies: Policies) -> None:
        self._policies = policies

    def follow(self, step: Step, row: sqlite3.Row, state: JobState, error: str | None) -> None:
        """A job has ended.

        Parameters
        ----------
        step : Step
            The transaction.
        row : sqlite3.Row
            The job, as it was before.
        state : JobState
            How it ended.
        error : str or None
            One line.
        """
        ends = [_Ended(row, state, error)]
        while ends:
            end = ends.pop()
            if end.row["environment"] is not None:
                step.effects.environments.add(end.row["environment"])
            self._notify(step, end)
            for job_id in step.schedule.release_after(end.row["id"], succeeded=end.state is JobState.SUCCEEDED):
                ends += _fail(step, job_id, end)

    def _notify(self, step: Step, end: _Ended) -> None:
        template = self._policies.latest.on_finish
        if not template or end.row["environment"] is None:
            return
        fields = _fields(end, step.schedule.now)
        step.effects.notices.append(
            Notice(
                job_id=end.row["id"],
                command=tuple(_filled(word, fields) for word in template),
                environment=step.variables(end.row["environment"]),
                cwd=Context.from_text(end.row["context_body"]).cwd,
            )
        )


def _fail(step: Step, job_id: int, end: _Ended) -> list[_Ended]:
    """Fail a job that needed another's success."""
    row = step.schedule.job(job_id)
    was = "was cancelled" if end.state is JobState.CANCELLED else "has failed"
    error = f"job {end.row['id']} ({end.row['target']}), which it comes after, {was}"
    if row is None or not step.change.fail_queued(job_id, error):
        return []
    step.effects.say(f"job {job_id} failed before it started: {error}")
    return [_Ended(row, JobState.FAILED, error)]


def _fields(end: _Ended, now: float) -> dict[str, str]:
    record = records.job_record(end.row)
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
    """Fill in the fields, each once: what a field says is not looked at again."""
    parts = word.split("{")
    filled = parts[0]
    for part in parts[1:]:
        name, closing, rest = part.partition("}")
        filled += fields[name] + rest if closing and name in fields else "{" + part
    return filled
