"""Which queued jobs start now, and with what request: slots, priorities, and the allowlist once more.

The claim is committed before anything is launched; a claim without a launch is found and repeated (see `running`).
"""

import json
import os
import sqlite3
from dataclasses import dataclass

from .. import allowlist, attempt
from ..executors.local import Launch
from ..folder import StateFolder
from ..roles import command
from ..settings import Settings
from ..snapshot import Context
from ..store import records
from ..store.transitions import Transitions
from .policies import Policies


@dataclass(frozen=True, slots=True)
class Start:
    """An attempt that has been claimed and is to be launched."""

    row: sqlite3.Row
    number: int
    folder: str  #: absolute
    context: Context
    settings: Settings

    @property
    def job_id(self) -> int:
        """The job's id."""
        return int(self.row["id"])


class Starter:
    """Decides what starts.

    Parameters
    ----------
    folder : StateFolder
        The state folder.
    policies : Policies
        What the configuration files say now.
    startup : str
        Fingerprint of this interpreter's start: a job with another one needs a fresh process.
    """

    def __init__(self, folder: StateFolder, policies: Policies, startup: str) -> None:
        self._folder = folder
        self._policies = policies
        self._startup = startup

    def claim(self, transitions: Transitions) -> tuple[list[Start], list[tuple[sqlite3.Row, str]]]:
        """Claim what has a slot, and fail what is no longer allowed.

        Returns
        -------
        list of Start
            To be launched, once the transaction is committed.
        list of (row, str)
            Jobs that were denied, each with the reason.
        """
        starts: list[Start] = []
        denied: list[tuple[sqlite3.Row, str]] = []
        for queue, occupied in transitions.queues().items():
            running = occupied
            waiting: list[int] = []  # contexts whose configuration is not known yet
            while (row := transitions.due(queue, waiting)) is not None:
                context = _readable(row)
                settings = None if context is None else self._policies.settings(context)
                if context is None:
                    denied.append((row, self._deny(transitions, row, "no client of ipybgjobs wrote its row")))
                elif settings is None:
                    waiting.append(row["context"])
                elif not allowlist.is_allowed(row["target"], settings):
                    denied.append((row, self._deny(transitions, row, _UNLISTED)))
                elif running >= settings.queues.get(queue, 1):
                    break
                else:
                    running += 1
                    starts.append(self._claimed(transitions, row, context, settings))
        return starts, denied

    def _deny(self, transitions: Transitions, row: sqlite3.Row, why: str) -> str:
        reason = _denied(row, why)
        transitions.deny(row["id"], row["attempt"] + 1, reason)
        return reason

    def _claimed(self, transitions: Transitions, row: sqlite3.Row, context: Context, settings: Settings) -> Start:
        number = row["attempt"] + 1
        relative = f"jobs/{row['uid']}/{number}"
        transitions.claim(row["id"], number, relative, *self._way(context))
        return Start(row, number, self._folder.attempt(relative), context, settings)

    def refusal(self, row: sqlite3.Row) -> str | None:
        """Why an attempt whose launch was voided may not be launched any more; None if it may, or that is not known yet."""
        settings = self._policies.settings(Context.from_text(row["context_body"]))
        if settings is None or allowlist.is_allowed(row["target"], settings):
            return None
        return _denied(row, _UNLISTED)

    def relaunch(self, transitions: Transitions, row: sqlite3.Row) -> Start | None:
        """Launch an attempt again whose first launch was voided; None while its configuration is not known."""
        context = Context.from_text(row["context_body"])
        settings = self._policies.settings(context)
        if settings is None:
            return None
        relative = f"jobs/{row['uid']}/{row['number']}.{row['launches'] + 1}"
        transitions.relaunch(row["id"], row["number"], relative, *self._way(context))
        return Start(row, row["number"], self._folder.attempt(relative), context, settings)

    def _way(self, context: Context) -> tuple[str, str | None]:
        """Which way an attempt is launched, and why not by fork."""
        reason = self._fresh_reason(context)
        return "fork" if reason is None else "fresh process", reason

    def _fresh_reason(self, context: Context) -> str | None:
        """Why a fork of this interpreter can't run the job; None: it can."""
        if context.startup == self._startup:
            return None
        return "another interpreter, or variables that act at its start differ from the supervisor's"

    def launch(self, start: Start, environment: str) -> Launch:
        """Write the attempt folder, and say how to launch it.

        Raises
        ------
        OSError
            If the folder can't be written.
        """
        row, context = start.row, start.context
        os.makedirs(start.folder, mode=0o700, exist_ok=True)
        entry = start.settings.allowed[row["target"].rpartition(".")[0]]
        request = {
            "job": {"id": row["id"], "uid": row["uid"], "name": row["name"], "attempt": start.number},
            "key": entry.key,
            "method": row["target"].rpartition(".")[2],
            "only_from": entry.only_from,
            "init": json.loads(row["init"]),
            "params": json.loads(row["params"]),
            "pickled": f"{self._folder.job(row['uid'])}/{attempt.PARAMETERS}" if row["pickled"] != "{}" else None,
            "positional": json.loads(row["positional"]),
            "cwd": context.cwd,
            "path": context.path,
            "umask": context.umask,
            "exit_grace_seconds": start.settings.exit_grace_seconds,
        }
        attempt.write_new(start.folder, attempt.REQUEST, request)
        fresh = self._fresh_reason(context) is not None
        worker = command("worker", start.folder, executable=context.executable, root=context.package_root)
        return Launch(start.folder, worker if fresh else None, json.loads(environment))


_UNLISTED = "it is not, or no longer, on the allowlist"


def _denied(row: sqlite3.Row, why: str) -> str:
    return f"{row['target']} was denied: {why}; nothing was started"


def _readable(row: sqlite3.Row) -> Context | None:
    """The context of a row, if all that a launch needs of the row can be read; anybody may have written it."""
    try:
        records.job_record(row)
        json.loads(row["positional"])
        return None if row["environment"] is None else Context.from_text(row["context_body"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
