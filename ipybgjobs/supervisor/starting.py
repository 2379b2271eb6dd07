"""Which queued jobs start now, and with what request: slots, priorities, and the allowlist once more.

The claim is committed before anything is launched; a claim without a launch is found and repeated (see `running`).
"""

import json
import os
import sqlite3
from typing import Any

from .. import allowlist, attempt
from ..executors.local import Launch
from ..folder import StateFolder
from ..roles import command
from ..settings import QueueSettings, Settings
from ..snapshot import Context, acts_at_start
from ..store import records
from ..store.transitions import Transitions, Way
from .effects import Start, Step, hook_for
from .policies import Policies


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
        self.waiting = False  #: whether a job waits for a slot: then a change of the slots is looked for

    def claim(self, step: Step) -> tuple[list[Start], list[tuple[sqlite3.Row, str]]]:
        """Claim what has a slot, and fail what is no longer allowed.

        Returns
        -------
        list of Start
            To be launched, once the transaction is committed.
        list of (row, str)
            Jobs that were denied, each with the reason.
        """
        step.schedule.promote()
        starts = self._claim_hooks(step)
        denied: list[tuple[sqlite3.Row, str]] = []
        occupied: dict[str, list[int | None]] | None = None
        self.waiting = False
        for queue in step.schedule.queues():
            occupied = step.schedule.occupied() if occupied is None else occupied
            self._claim_from(step, queue, occupied.get(queue, []), starts, denied)
        return starts, denied

    def _claim_from(
        self, step: Step, queue: str, taken: list[int | None], starts: list[Start], denied: list[tuple[sqlite3.Row, str]]
    ) -> None:
        """Claim jobs of one queue while it has a slot."""
        unknown: list[int] = []  # contexts whose configuration is not known yet
        while (row := step.schedule.due(queue, unknown)) is not None:
            context = _readable(row)
            settings = None if context is None else self._policies.settings(context)
            if context is None:
                denied.append((row, self._deny(step.change, row, "no client of ipybgjobs wrote its row")))
            elif settings is None:
                unknown.append(row["context"])
            elif (why := _forbidden(row, settings)) is not None:
                denied.append((row, self._deny(step.change, row, why)))
            else:
                limits = settings.queues.get(queue, QueueSettings())
                if len(taken) >= limits.slots:
                    self.waiting = True
                    return
                slot = next(number for number in range(limits.slots) if number not in taken)
                taken.append(slot)
                starts.append(self._claimed(step.change, row, context, settings, slot))

    def _claim_hooks(self, step: Step) -> list[Start]:
        """Claim the hooks that are due, a few at a time; they take no slot."""
        starts = []
        for row in step.schedule.hooks(_HOOKS_AT_ONCE):
            context = Context.from_text(row["context_body"])
            settings = self._policies.settings(context)
            if settings is None:
                continue
            if _forbidden(row, settings) is not None:
                step.change.drop_hook(row["id"])
                step.effects.environments.add(row["environment"])
                continue
            relative = f"jobs/{row['uid']}/{attempt.HOOK}.{row['attempt']}"
            start = Start(row, 0, self._folder.attempt(relative), context, settings, None)
            if step.change.claim_hook(row["id"], relative, self._way(start)):
                starts.append(start)
        return starts

    def _deny(self, transitions: Transitions, row: sqlite3.Row, why: str) -> str:
        reason = _denied(row, why)
        transitions.deny(row["id"], row["attempt"] + 1, reason)
        return reason

    def _claimed(self, transitions: Transitions, row: sqlite3.Row, context: Context, settings: Settings, slot: int) -> Start:
        number = row["attempt"] + 1
        relative = f"jobs/{row['uid']}/{number}"
        start = Start(row, number, self._folder.attempt(relative), context, settings, slot)
        transitions.claim(row["id"], number, relative, self._way(start))
        return start

    def refusal(self, row: sqlite3.Row) -> str | None:
        """Why an attempt whose launch was voided may not be launched any more; None if it may, or that is not known yet."""
        settings = self._policies.settings(Context.from_text(row["context_body"]))
        why = None if settings is None else _forbidden(row, settings)
        return None if why is None else _denied(row, why)

    def relaunch(self, transitions: Transitions, row: sqlite3.Row) -> Start | None:
        """Launch an attempt again whose first launch was voided; None while its configuration is not known."""
        context = Context.from_text(row["context_body"])
        settings = self._policies.settings(context)
        if settings is None:
            return None
        first = row["number"] or f"{attempt.HOOK}.{row['attempt']}"
        relative = f"jobs/{row['uid']}/{first}.{row['launches'] + 1}"
        start = Start(row, row["number"], self._folder.attempt(relative), context, settings, row["slot"])
        transitions.relaunch(row["id"], row["number"], relative, self._way(start))
        return start

    def _way(self, start: Start) -> Way:
        reason = self._fresh_reason(start)
        return Way("fork" if reason is None else "fresh process", reason, start.slot)

    def _fresh_reason(self, start: Start) -> str | None:
        """Why a fork of this interpreter can't run the job; None: it can."""
        if start.context.startup != self._startup:
            return "another interpreter, or its options or variables that act at its start differ from the supervisor's"
        if any(map(acts_at_start, start.slot_environment)):
            return "its queue sets variables that act at an interpreter's start"
        return None

    def launch(self, start: Start, environment: str) -> Launch:
        """Write the attempt folder, and say how to launch it.

        Raises
        ------
        OSError
            If the folder can't be written.
        """
        context = start.context
        os.makedirs(start.folder, mode=0o700, exist_ok=True)
        attempt.write_new(start.folder, attempt.REQUEST, self._request(start) | self._hook(start))
        fresh = self._fresh_reason(start) is not None
        worker = command("worker", start.folder, executable=context.executable, root=context.package_root, flags=context.flags)
        variables = json.loads(environment) | start.slot_environment
        return Launch(start.folder, worker if fresh else None, variables, self._output(start))

    def _request(self, start: Start) -> dict[str, Any]:
        row, context = start.row, start.context
        permission = allowlist.permission(row["target"], start.settings)
        assert permission is not None  # the claim has looked
        call = records.call(row)
        return {
            "job": {"id": row["id"], "uid": row["uid"], "name": row["name"], "attempt": start.number},
            "key": permission.entry.key,
            "method": permission.method,
            "only_from": permission.entry.only_from,
            "by_value": permission.by_value,
            "init": call.init,
            "params": call.params,
            "pickled": [f"{self._folder.job(uid)}/{attempt.PARAMETERS}" for uid in _with_pickles(row)],
            "positional": json.loads(row["positional"]),
            "cwd": context.cwd,
            "path": context.path,
            "umask": context.umask,
            "allotment": context.allotment,
            "exit_grace_seconds": start.settings.exit_grace_seconds,
        }

    def _hook(self, start: Start) -> dict[str, Any]:
        """What a request to call a hook says beyond: which, and where the job's end is written."""
        if start.number:
            return {}
        row = start.row
        return {
            "hook": {
                "name": hook_for(row, row["state"]),
                "attempt": self._last_folder(row),
                "outcome": row["last_outcome"],
                "error": f"job {row['id']} ({row['target']}): {row['error']}",
            }
        }

    def _output(self, start: Start) -> str | None:
        """Where an attempt prints; a hook prints to the log of the attempt before it."""
        return None if start.number else f"{self._last_folder(start.row)}/{attempt.OUTPUT}"

    def _last_folder(self, row: sqlite3.Row) -> str:
        return self._folder.attempt(row["last_folder"])


def _with_pickles(row: sqlite3.Row) -> list[str]:
    """Uids of the group and the job, where they have pickled parameters."""
    group = [row["group_uid"]] if row["common_pickled"] not in (None, "{}") else []
    return group + ([row["uid"]] if row["pickled"] != "{}" else [])


#: Hooks that are called at the same time.
_HOOKS_AT_ONCE = 4


def _forbidden(row: sqlite3.Row, settings: Settings) -> str | None:
    """Why the files do not allow what a row asks for; None if they do."""
    if not allowlist.is_allowed(row["target"], settings):
        return "it is not, or no longer, on the allowlist"
    if not allowlist.runs_notebook(row["target"]):
        return None
    params = records.call(row).params
    if not allowlist.is_allowed_notebook(row["target"], params, settings):
        return f"no pattern of allowed_notebooks fits {params.get('path')!r}, or no longer"
    return None


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
