"""A job as the supervisor handles it: its row, its context and its newest attempt, parsed once and checked.

A row that can't be read is a value too: it contains what is needed to end the job without affecting others.
"""

import functools
import os
import sqlite3
from collections.abc import Mapping

from msgspec import Struct

from ..model import json_text
from ..model.records import JobRecord, JobState, Outcome
from ..model.source import SourceFile
from ..targets.context import Context
from . import columns, queries
from .columns import UnreadableRow

_MOST_ATTEMPTS = 1 << 31


class ScheduledJob(Struct, frozen=True):
    """A job with everything that a launch needs.

    Parameters
    ----------
    record : JobRecord
        The job.
    context_id : int
        The row of its context.
    context : Context
        Where and how it runs.
    environment : int or None
        The row of its environment variables; None once they were released.
    hooks : tuple of str
        The hooks that its class has.
    positional : tuple of str
        Names of parameters that are passed by position.
    source : SourceFile or None
        The target's file at submit.
    pickles : tuple of str
        Uids of the group and of the job, if they have pickled parameters.
    last_folder, last_outcome : str or None
        Of its newest attempt.
    void_launches : int
        Failed launches of its next attempt.
    """

    record: JobRecord
    context_id: int
    context: Context
    environment: int | None
    hooks: tuple[str, ...]
    positional: tuple[str, ...]
    source: SourceFile | None
    pickles: tuple[str, ...]
    last_folder: str | None
    last_outcome: str | None
    void_launches: int = 0

    @property
    def id(self) -> int:
        """The job's id."""
        return self.record.id

    @property
    def target(self) -> str:
        """The target."""
        return self.record.call.target

    def hook_for(self, state: JobState) -> str | None:
        """Return the hook that is called when the job ends in a state; None if its class has none."""
        name = _HOOKS.get(state)
        return name if name in self.hooks else None


class UnreadableJob(Struct, frozen=True):
    """A job whose row can't be read, with the reason: it counts as failed and is never started."""

    id: int
    target: str
    environment: int | None
    attempt: int
    reason: str


class Environment(Struct, frozen=True):
    """A job's environment variables, as they are stored; they are parsed where they are needed, which is in no transaction."""

    text: str

    def variables(self) -> dict[str, str]:
        """Parse them.

        Raises
        ------
        ValueError
            If a client of ipybgjobs did not write them.
        """
        return dict(_variables(self.text))


@functools.lru_cache(maxsize=4)
def _variables(text: str) -> Mapping[str, str]:
    """Parse environment variables, which the jobs of one submitter mostly share."""
    values = json_text.parse(text)
    if not isinstance(values, dict) or not all(_is_variable(name, value) for name, value in values.items()):
        raise ValueError("its environment variables can't be read")
    return values


def _is_variable(name: str, value: object) -> bool:
    """Return whether a process can have a variable."""
    try:
        return isinstance(value, str) and "=" not in name and name != "" and b"\0" not in os.fsencode(name + value)
    except UnicodeEncodeError:
        return False


class Claim(Struct, frozen=True):
    """A claimed attempt with its job; number 0 is the call of a hook.

    Parameters
    ----------
    job : ScheduledJob or UnreadableJob
        Its job.
    number : int
        From 1; 0 for a hook.
    folder : str
        Relative to the state folder.
    ending : Outcome or None
        Why it is being ended.
    grace : float
        Seconds for each step of ending it.
    launches : int
        Number of launches.
    slot : int or None
        Slot number in its queue.
    started_at : float or None
        Seconds since the epoch; None if that can't be read.
    adopted : str or None
        Who confirmed that its process is gone, if that can't be observed.
    """

    job: ScheduledJob | UnreadableJob
    number: int
    folder: str
    ending: Outcome | None
    grace: float
    launches: int
    slot: int | None
    started_at: float | None
    adopted: str | None = None


#: The hook that each end calls.
_HOOKS = {JobState.SUCCEEDED: "on_success", JobState.FAILED: "on_failure"}


def of_row(row: sqlite3.Row) -> ScheduledJob | UnreadableJob:
    """Read a job from a row of `schedule`."""
    try:
        return _task(row)
    except UnreadableRow as error:
        return UnreadableJob(
            id=int(row["id"]),
            target=columns.any_label(row, "target"),
            environment=columns.any_whole(row, "environment") or None,
            attempt=columns.any_whole(row, "attempt", _MOST_ATTEMPTS),
            reason=str(error),
        )


def _task(row: sqlite3.Row) -> ScheduledJob:
    record = queries.job_record(row)
    if not 0 <= record.attempt <= _MOST_ATTEMPTS:
        raise UnreadableRow("attempt")
    return ScheduledJob(
        record=record,
        context_id=columns.whole(row, "context"),
        context=_context(columns.text(row, "context_body")),
        environment=columns.whole_or_none(row, "environment"),
        hooks=columns.texts(row, "hooks"),
        positional=columns.texts(row, "positional"),
        source=_source(row),
        pickles=_pickles(row, record),
        last_folder=columns.text_or_none(row, "last_folder"),
        last_outcome=columns.text_or_none(row, "last_outcome"),
        void_launches=columns.any_whole(row, "void_launches", _MOST_ATTEMPTS),
    )


@functools.lru_cache(maxsize=64)
def _context(text: str) -> Context:
    """Parse a context, which many jobs share."""
    try:
        return Context.from_text(text)
    except ValueError:
        raise UnreadableRow("context") from None


def context(text: str | None) -> Context | None:
    """Parse a context; None if it is missing or can't be read."""
    try:
        return None if text is None else _context(text)
    except UnreadableRow:
        return None


def _source(row: sqlite3.Row) -> SourceFile | None:
    text = columns.text_or_none(row, "source")
    try:
        return None if text is None else SourceFile.from_json(json_text.parse(text))
    except (ValueError, TypeError):
        raise UnreadableRow("source") from None


def _pickles(row: sqlite3.Row, record: JobRecord) -> tuple[str, ...]:
    group = (columns.text(row, "group_uid"),) if row["common_pickled"] not in (None, "{}") else ()
    return (*group, record.uid) if row["pickled"] != "{}" else group


def claim_of_row(row: sqlite3.Row) -> Claim:
    """Read an attempt from a row of `schedule`; values that can't be read are unknown."""
    folder, started_at, grace = row["folder"], row["attempt_started_at"], row["ending_grace"]
    launches, slot = row["launches"], row["slot"]
    return Claim(
        job=of_row(row),
        number=int(row["number"]),
        folder=folder if isinstance(folder, str) and "\0" not in folder else f"jobs/unknown/{row['id']}.{row['number']}",
        ending=Outcome(row["ending"]) if row["ending"] in (Outcome.CANCELLED, Outcome.TIMEOUT) else None,
        grace=grace if isinstance(grace, float) else 0.0,
        launches=launches if isinstance(launches, int) else 1,
        slot=slot if isinstance(slot, int) else None,
        started_at=started_at if isinstance(started_at, float) else None,
        adopted=columns.any_text(row, "adopted") or None,
    )
