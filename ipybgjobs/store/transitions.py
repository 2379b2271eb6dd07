"""Changes of jobs' states, each guarded, all made by the supervisor that holds the lock.

No state is entered twice or from the wrong state: each update names the state it leaves, and each method returns whether it
changed anything. The supervisor collects the changes of a tick in one transaction.
"""

import json
import sqlite3
from collections.abc import Iterable
from typing import Any, NamedTuple

from msgspec import Struct

from ..model.records import Outcome, Owner
from .columns import RETRYING
from .insertion import SqlValue, insert
from .requests import RetryRequest


class Verdict(Struct, frozen=True):
    """How an attempt ended, as the supervisor determined.

    Parameters
    ----------
    outcome : Outcome
        The kind of end.
    error : str or None
        One line, with secrets blanked.
    traceback : str or None
        Text, with secrets blanked.
    exit_code, signal, peak_memory, cpu_seconds
        Measurements of the process; None if unknown.
    """

    outcome: Outcome
    error: str | None = None
    traceback: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    peak_memory: int | None = None  # bytes
    cpu_seconds: float | None = None
    source: list[Any] | None = None  # path, date and size of the target's file, as the worker saw it; then its hash, if known


class LaunchMode(NamedTuple):
    """How an attempt is launched: by fork or in a fresh process, why not by fork, and the slot number in its queue."""

    launched_by: str
    reason: str | None = None
    slot: int | None = None


class Transitions:
    """The changes of one transaction.

    Parameters
    ----------
    connection : sqlite3.Connection
        Inside a transaction.
    owner : Owner
        Owner of the supervisor; jobs of other places are not its own.
    now : float
        Seconds since the epoch.
    """

    def __init__(self, connection: sqlite3.Connection, owner: Owner, now: float) -> None:
        self._connection = connection
        self._owner = owner
        self._now = now

    def _changed(self, sql: str, values: dict[str, Any]) -> bool:
        return self._connection.execute(sql, values).rowcount == 1

    # -- attempts -------------------------------------------------------------------------------------------------

    def claim(self, job_id: int, number: int, folder: str, launch_mode: LaunchMode, launches: int = 1) -> bool:
        """Move a job from queued to running, with a new attempt; `launches`: its number of launches including this one."""
        claimed = self._changed(
            """UPDATE jobs SET state = 'running', attempt = :number, started_at = coalesce(started_at, :now),
                waited = waited + max(0.0, :now - coalesce(retrying_since, :now)), retrying_since = NULL
            WHERE id = :id AND state = 'queued' AND attempt = :number - 1""",
            {"id": job_id, "number": number, "now": self._now},
        )
        if claimed:
            self._begin_attempt(job_id, number, folder, launch_mode, launches)
        return claimed

    def give_back(self, job_id: int, number: int, due: float | None, problem: str | None) -> bool:
        """Move a job from running back to queued: no launch worked, so nothing ran, and the attempt is undone.

        Parameters
        ----------
        job_id, number : int
            The attempt.
        due : float or None
            When it may be claimed again, in seconds since the epoch; None: immediately.
        problem : str or None
            Why it could not be launched, if other jobs can be; the error of an earlier attempt stays.
        """
        given = self._changed(
            f"""UPDATE jobs SET state = 'queued', attempt = attempt - 1, not_before = coalesce(:due, not_before),
                ready = (:due IS NULL), timed = 0,
                error = iif(attempt = 1, :problem, error),
                started_at = iif({_BEGAN_EARLIER}, started_at, NULL),
                retrying_since = iif({_BEGAN_EARLIER}, {_CLAIMED_AT}, NULL),
                void_launches = (SELECT launches FROM attempts WHERE job_id = :id AND number = :number)
            WHERE id = :id AND state = 'running' AND attempt = :number""",
            {"id": job_id, "number": number, "due": due, "problem": _storable(problem)},
        )
        if given:
            self._connection.execute("DELETE FROM attempts WHERE job_id = ? AND number = ?", (job_id, number))
        return given

    def claim_hook(self, job_id: int, folder: str, launch_mode: LaunchMode) -> bool:
        """Claim the pending hook of a finished job, which is called once, as attempt 0."""
        claimed = self._changed("UPDATE jobs SET hook = NULL WHERE id = :id AND hook IS NOT NULL", {"id": job_id})
        if claimed:
            self._begin_attempt(job_id, 0, folder, launch_mode)
        return claimed

    def _begin_attempt(self, job_id: int, number: int, folder: str, launch_mode: LaunchMode, launches: int = 1) -> None:
        row = {
            **self._attempt(job_id, number),
            "folder": folder,
            "launches": launches,
            "launched_by": launch_mode.launched_by,
            "launch_reason": launch_mode.reason,
            "slot": launch_mode.slot,
        }
        insert(self._connection, "attempts", row, or_else="REPLACE")

    def _attempt(self, job_id: int, number: int) -> dict[str, SqlValue]:
        """Return the columns that the row of every attempt has when it begins."""
        return {"job_id": job_id, "number": number, "started_at": self._now, **self._who()}

    def _who(self) -> dict[str, SqlValue]:
        return {"place": self._owner.place, "host": self._owner.host}

    def relaunch(self, job_id: int, number: int, folder: str, launch_mode: LaunchMode) -> bool:
        """Launch the same attempt again in a new folder, after a launch was voided before anything ran."""
        return self._changed(
            """UPDATE attempts SET folder = :folder, launches = launches + 1, started_at = :now, adopted = NULL, host = :host,
                launched_by = :launched_by, launch_reason = :launch_reason
            WHERE job_id = :id AND number = :number AND outcome IS NULL""",
            {
                "id": job_id,
                "number": number,
                "folder": folder,
                "now": self._now,
                "host": self._owner.host,
                "launched_by": launch_mode.launched_by,
                "launch_reason": launch_mode.reason,
            },
        )

    def note_origin(self, body: str, attempts: Iterable[tuple[int, int]]) -> None:
        """Record where the code of attempts came from; attempts by job and number."""
        insert(self._connection, "origins", {"body": body}, or_else="IGNORE")
        sql = "UPDATE attempts SET origin = (SELECT id FROM origins WHERE body = ?) WHERE job_id = ? AND number = ?"
        self._connection.executemany(sql, [(body, *attempt) for attempt in attempts])

    def begin_ending(self, job_id: int, number: int, reason: Outcome, grace: float) -> bool:
        """Record why an attempt is being ended; the first reason stays, except that a cancel replaces a timeout."""
        return self._changed(
            """UPDATE attempts SET ending = :reason, ending_at = coalesce(ending_at, :now),
                ending_grace = coalesce(ending_grace, :grace)
            WHERE job_id = :id AND number = :number AND outcome IS NULL
                AND (ending IS NULL OR (ending = 'timeout' AND :reason = 'cancelled'))""",
            {"id": job_id, "number": number, "reason": reason, "now": self._now, "grace": grace},
        )

    def end_attempt(self, job_id: int, number: int, verdict: Verdict) -> bool:
        """Record how an attempt ended; False if that was already recorded."""
        return self._changed(
            """UPDATE attempts SET outcome = :outcome, ended_at = :now, error = :error, traceback = :traceback,
                exit_code = :exit_code, signal = :signal, peak_memory = :peak_memory, cpu_seconds = :cpu_seconds,
                source = :source
            WHERE job_id = :id AND number = :number AND outcome IS NULL""",
            {
                "id": job_id,
                "number": number,
                "now": self._now,
                "outcome": verdict.outcome,
                "error": _storable(verdict.error),
                "traceback": _storable(verdict.traceback),
                "exit_code": verdict.exit_code,
                "signal": verdict.signal,
                "peak_memory": verdict.peak_memory,
                "cpu_seconds": verdict.cpu_seconds,
                "source": None if verdict.source is None else json.dumps(verdict.source),
            },
        )

    # -- jobs -----------------------------------------------------------------------------------------------------

    def end_job(self, job_id: int, state: str, error: str | None, hook: str | None = None, *, reusable: bool = True) -> bool:
        """Move a job from running to its final state; its environment is released unless a hook needs it."""
        return self._changed(
            """UPDATE jobs SET state = :state, ended_at = :now, error = :error, hook = :hook,
                environment = iif(:hook IS NULL, NULL, environment), fingerprint = iif(:reusable, fingerprint, NULL)
            WHERE id = :id AND state = 'running'""",
            {"id": job_id, "state": state, "now": self._now, "error": _storable(error), "hook": hook, "reusable": reusable},
        )

    def drop_hook(self, job_id: int) -> None:
        """Drop a pending hook without calling it: its class is no longer allowed."""
        self._changed("UPDATE jobs SET hook = NULL WHERE id = :id", {"id": job_id})
        self.end_hook(job_id)

    def end_hook(self, job_id: int) -> None:
        """Record that a hook's call has ended; the environment is released."""
        sql = "UPDATE jobs SET environment = NULL WHERE id = :id AND state NOT IN ('queued', 'running') AND hook IS NULL"
        self._changed(sql, {"id": job_id})

    def queue_again(self, job_id: int, not_before: float, error: str | None) -> bool:
        """Move a job from running back to queued: a retry by the retry policy."""
        return self._changed(
            """UPDATE jobs SET state = 'queued', not_before = :due, ready = 0, timed = 0, error = :error, void_launches = 0,
                retrying_since = :now
            WHERE id = :id AND state = 'running'""",
            {"id": job_id, "due": not_before, "error": _storable(error), "now": self._now},
        )

    def cancel_queued(self, job_id: int) -> bool:
        """Move a job from queued to cancelled."""
        return self._changed(
            """UPDATE jobs SET state = 'cancelled', ended_at = :now, environment = NULL
            WHERE id = :id AND state = 'queued'""",
            {"id": job_id, "now": self._now},
        )

    def fail_queued(self, job_id: int, error: str, hook: str | None = None) -> bool:
        """Move a job from queued to failed, without another attempt: its deadline has passed, or a dependency failed."""
        return self._changed(
            """UPDATE jobs SET state = 'failed', ended_at = :now, error = :error, blockers = 0, hook = :hook,
                environment = iif(:hook IS NULL, NULL, environment)
            WHERE id = :id AND state = 'queued'""",
            {"id": job_id, "now": self._now, "error": _storable(error), "hook": hook},
        )

    def deny(self, job_id: int, number: int, error: str) -> bool:
        """Move a job from queued to failed: the check at launch refused it, and nothing was started."""
        denied = self._changed(
            """UPDATE jobs SET state = 'failed', attempt = :number, ended_at = :now, error = :error, environment = NULL
            WHERE id = :id AND state = 'queued'""",
            {"id": job_id, "number": number, "now": self._now, "error": error},
        )
        if denied:
            row = {**self._attempt(job_id, number), "ended_at": self._now, "outcome": Outcome.DENIED.value, "error": error}
            insert(self._connection, "attempts", row, or_else="IGNORE")
        return denied

    def retry(self, job_id: int, asked: RetryRequest) -> bool:
        """Move a job from failed, cancelled or retrying to queued: a user asked for an attempt now, in that user's context.

        A failed or cancelled job gets one more attempt than before; not if another live job holds its unique key, or if a job
        whose success it needs has failed, even if it was removed since.
        """
        values = {**self._asked(job_id), "context": asked.context, "environment": asked.environment}
        if self._changed(_RETRY_NOW, values):
            return True
        retried = self._changed(f"{_RETRY} WHERE {_MAY_BE_RETRIED}", values)
        if retried:  # dependent jobs that still wait for others wait for it again
            self._connection.execute(
                """UPDATE jobs SET blockers = blockers + 1, ready = 0
                WHERE state = 'queued' AND id IN (SELECT job_id FROM dependencies WHERE on_id = ?)""",
                (job_id,),
            )
        return retried

    def adopt(self, job_id: int, note: str) -> bool:
        """Take over a job because a user confirmed that its place is gone; an attempt that ran there is lost.

        This is refused for a job that has finished or already belongs to this place.
        """
        sql = f"UPDATE jobs SET place = :place, host = :host, booted_at = NULL WHERE id = :id AND place != :place AND {_LIVE}"
        adopted = self._changed(sql, self._asked(job_id))
        if adopted:
            self._connection.execute(
                "UPDATE attempts SET place = ?, adopted = ? WHERE job_id = ? AND outcome IS NULL",
                (self._owner.place, note, job_id),
            )
            self._connection.execute("UPDATE requests SET place = ? WHERE job_id = ?", (self._owner.place, job_id))
        return adopted

    def _asked(self, job_id: int) -> dict[str, Any]:
        return {"id": job_id, "now": self._now, **self._who()}

    # -- the rest -------------------------------------------------------------------------------------------------

    def delete_request(self, request_id: int) -> None:
        """Forget a request."""
        self._connection.execute("DELETE FROM requests WHERE id = ?", (request_id,))

    def record_heartbeat(self, pid: int, version: str, started_at: float, notice: str | None, monotonic: float) -> None:
        """Record that this place's supervisor is alive."""
        row = {
            **self._who(),
            "pid": pid,
            "version": version,
            "started_at": started_at,
            "heard_at": self._now,
            "notice": _storable(notice),
            "heard_monotonic": monotonic,
        }
        insert(self._connection, "supervisors", row, or_else="REPLACE")

    def environment_of(self, job_id: int) -> list[int]:
        """Return the row of the environment variables that a job holds, if any."""
        sql = "SELECT environment FROM jobs WHERE id = ? AND environment IS NOT NULL"
        return [row[0] for row in self._connection.execute(sql, (job_id,))]

    def release_environment(self, environment: int) -> bool:
        """Delete environment variables that no unfinished job and no request needs."""
        return self._changed(
            """DELETE FROM environments WHERE id = :id
                AND NOT EXISTS (SELECT 1 FROM jobs WHERE environment = :id)
                AND NOT EXISTS (SELECT 1 FROM requests WHERE environment = :id)""",
            {"id": environment},
        )


#: A job that had an earlier attempt since it was submitted or manually retried.
_BEGAN_EARLIER = """EXISTS (SELECT 1 FROM attempts AS earlier WHERE earlier.job_id = jobs.id
    AND earlier.number BETWEEN 1 AND jobs.attempt - 1 AND earlier.started_at >= jobs.started_at)"""

#: When the newest attempt of a job began.
_CLAIMED_AT = "(SELECT started_at FROM attempts WHERE job_id = jobs.id AND number = jobs.attempt)"

#: A job that has not finished, or whose hook has not.
_LIVE = """(state IN ('queued', 'running') OR hook IS NOT NULL
    OR EXISTS (SELECT 1 FROM attempts WHERE job_id = jobs.id AND outcome IS NULL))"""

#: The number of unfinished jobs that a job depends on.
_BLOCKERS = """SELECT count(*) FROM dependencies JOIN jobs AS earlier ON earlier.id = on_id
    WHERE job_id = jobs.id AND earlier.state IN ('queued', 'running')"""

_RETRY = f"""UPDATE jobs SET state = 'queued', not_before = :now, timed = 0, started_at = NULL, ended_at = NULL,
    deadline = NULL, booted_at = NULL, hook = NULL, replaced = 0, void_launches = 0, retrying_since = NULL, waited = 0,
    blockers = ({_BLOCKERS}), ready = (({_BLOCKERS}) = 0),
    allowed_attempts = CASE attempt WHEN 0 THEN allowed_attempts ELSE attempt + 1 END,
    context = :context, environment = :environment, place = :place, host = :host"""

#: A job that waits for its next attempt starts it now, whatever its `not_before`; only in the place that it belongs to.
_RETRY_NOW = f"""UPDATE jobs SET not_before = :now, timed = 0, started_at = NULL, void_launches = 0,
    retrying_since = NULL, waited = 0, ready = (blockers = 0), context = :context, environment = :environment
    WHERE id = :id AND place = :place AND {RETRYING}"""

_MAY_BE_RETRIED = """id = :id AND state IN ('failed', 'cancelled')
    AND NOT EXISTS (SELECT 1 FROM jobs AS other
        WHERE other.unique_key = jobs.unique_key AND other.state IN ('queued', 'running') AND NOT other.replaced)
    AND NOT EXISTS (SELECT 1 FROM jobs AS other
        WHERE other.unique_key = jobs.unique_key AND other.state IN ('queued', 'running') AND other.replaced)
    AND NOT EXISTS (SELECT 1 FROM dependencies LEFT JOIN jobs AS earlier ON earlier.id = on_id
        WHERE job_id = jobs.id AND NOT anyway AND coalesce(earlier.state, 'failed') IN ('failed', 'cancelled'))"""


def _storable(text: str | None) -> str | None:
    """Escape characters that are not valid Unicode: a file name may contain them, SQLite text may not."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode()
