"""Select the queued jobs to start now, and build their requests: slots, priorities, and the allowlist once more.

The claim is committed before anything is launched; a claim without a launch is found and repeated (see `collection`).
"""

import errno
import json
import os
from typing import Any

from ..configuration.settings import QueueSettings, Settings
from ..executors.executor import Executor
from ..executors.launch_request import LaunchChoice, LaunchRequest
from ..state import attempt
from ..state.folder import StateFolder, make_attempt_folder
from ..store.scheduled_job import Claim, Environment, ScheduledJob, UnreadableJob
from ..store.transitions import LaunchMode
from ..system.roles import command
from ..targets import allowlist, target_rules
from .configurations import ConfigurationCache
from .effects import Start, Transaction
from .launch_backoff import Backoff


class Starter:
    """Decides which jobs start.

    Parameters
    ----------
    folder : StateFolder
        The state folder.
    configurations : ConfigurationCache
        The current settings of the configuration files.
    executor : Executor
        Launches attempts, and chooses how.
    """

    def __init__(self, folder: StateFolder, configurations: ConfigurationCache, executor: Executor) -> None:
        self._folder = folder
        self._configurations = configurations
        self._executor = executor
        self.backoff = Backoff()
        self.held: dict[int, str] = {}  #: why the jobs of a context can't start, by the context's id
        self.waiting = False  #: whether a job waits for a slot: then the configuration is checked for more slots

    def hold(self, job: ScheduledJob | UnreadableJob, reason: str | None) -> None:
        """Record why a job, and the others of its context, can't start."""
        if reason is not None and isinstance(job, ScheduledJob):
            self.held[job.context_id] = reason

    def claim(self, transaction: Transaction) -> tuple[list[Start], list[tuple[ScheduledJob | UnreadableJob, str]]]:
        """Claim the jobs that have a slot, and fail those that are no longer allowed.

        Returns
        -------
        list of Start
            To be launched once the transaction is committed.
        list of (job, str)
            Jobs that were denied, each with the reason.
        """
        transaction.schedule.promote()
        if self.backoff.waits:
            return [], []
        starts = self._claim_hooks(transaction)
        denied: list[tuple[ScheduledJob | UnreadableJob, str]] = []
        occupied: dict[str, list[int | None]] | None = None
        self.waiting = False
        for queue in transaction.schedule.queues():
            occupied = transaction.schedule.occupied() if occupied is None else occupied
            self._claim_from(transaction, queue, occupied.get(queue, []), starts, denied)
        return starts, denied

    def _claim_from(
        self,
        transaction: Transaction,
        queue: str,
        taken: list[int | None],
        starts: list[Start],
        denied: list[tuple[ScheduledJob | UnreadableJob, str]],
    ) -> None:
        """Claim jobs of one queue while it has a slot."""
        unknown: list[int] = []  # contexts whose configuration has not been read yet
        while (job := transaction.schedule.due(queue, unknown)) is not None:
            environment = transaction.variables(job.environment)
            if isinstance(job, UnreadableJob) or environment is None:
                denied.append((job, self._deny(transaction, job, _FORGED)))
                continue
            settings = self._configurations.cached(job.context)
            if settings is None:
                unknown.append(job.context_id)
                self.hold(job, self._configurations.problem_of(job.context))
            elif (why := _forbidden(job, settings)) is not None:
                denied.append((job, self._deny(transaction, job, why)))
            else:
                limits = settings.queues.get(queue, QueueSettings())
                if len(taken) >= limits.slots:
                    self.waiting = True
                    return
                slot = next(number for number in range(limits.slots) if number not in taken)
                taken.append(slot)
                starts.append(self._claimed(transaction, job, settings, slot, environment))

    def _claim_hooks(self, transaction: Transaction) -> list[Start]:
        """Claim the pending hooks, a few at a time; they take no slot."""
        starts = []
        for job in transaction.schedule.hooks(_HOOKS_AT_ONCE):
            environment = transaction.variables(job.environment)
            if isinstance(job, UnreadableJob) or environment is None or job.last_folder is None:
                self._drop_hook(transaction, job)
                continue
            settings = self._configurations.cached(job.context)
            if settings is None:
                self.hold(job, self._configurations.problem_of(job.context))
                continue
            if _forbidden(job, settings) is not None:
                self._drop_hook(transaction, job)
                continue
            relative = f"jobs/{job.record.uid}/{attempt.HOOK}.{job.record.attempt}"
            start = Start(job, 0, self._folder.attempt(relative), settings, None, environment)
            if transaction.change.claim_hook(job.id, relative, self._launch_mode(start)):
                starts.append(start)
        return starts

    def _drop_hook(self, transaction: Transaction, job: ScheduledJob | UnreadableJob) -> None:
        transaction.change.drop_hook(job.id)
        if job.environment is not None:
            transaction.effects.environments.add(job.environment)

    def _deny(self, transaction: Transaction, job: ScheduledJob | UnreadableJob, why: str) -> str:
        reason = _denied(job, why)
        number = job.attempt if isinstance(job, UnreadableJob) else job.record.attempt
        transaction.change.deny(job.id, number + 1, reason)
        return reason

    def _claimed(
        self, transaction: Transaction, job: ScheduledJob, settings: Settings, slot: int, environment: Environment
    ) -> Start:
        number, launches = job.record.attempt + 1, job.void_launches + 1
        relative = _folder_of(job, number, launches)
        start = Start(job, number, self._folder.attempt(relative), settings, slot, environment)
        transaction.change.claim(job.id, number, relative, self._launch_mode(start), launches)
        return start

    def refusal(self, job: ScheduledJob | UnreadableJob) -> str | None:
        """Explain why an attempt whose launch was voided may not be launched again; None if it may, or if that is unknown."""
        if isinstance(job, UnreadableJob):
            return _denied(job, _FORGED)
        settings = self._configurations.cached(job.context)
        why = None if settings is None else _forbidden(job, settings)
        return None if why is None else _denied(job, why)

    def relaunch(self, transaction: Transaction, claim: Claim) -> Start | None:
        """Launch an attempt again whose first launch was voided; None while its configuration is unknown."""
        job = claim.job
        settings = None if isinstance(job, UnreadableJob) else self._configurations.cached(job.context)
        environment = transaction.variables(job.environment)
        if isinstance(job, UnreadableJob) or settings is None or environment is None:
            return None
        relative = _folder_of(job, claim.number or f"{attempt.HOOK}.{job.record.attempt}", claim.launches + 1)
        start = Start(job, claim.number, self._folder.attempt(relative), settings, claim.slot, environment)
        transaction.change.relaunch(job.id, claim.number, relative, self._launch_mode(start))
        return start

    def _launch_mode(self, start: Start) -> LaunchMode:
        choice = self._choice(start)
        return LaunchMode(choice.kind.value, choice.reason, start.slot)

    def _choice(self, start: Start) -> LaunchChoice:
        return self._executor.choose(start.job.context.startup, start.slot_environment)

    def launch(self, start: Start) -> LaunchRequest:
        """Create the attempt folder, and return how to launch it.

        Raises
        ------
        OSError
            If the folder can't be written, or the interpreter is gone.
        ValueError
            If the job's environment variables were not written by ipybgjobs.
        """
        context = start.job.context
        environment = start.environment.variables() | start.slot_environment
        make_attempt_folder(start.folder)
        content = json.dumps(self._request(start) | self._hook(start), separators=(",", ":")).encode()
        if not os.access(context.executable, os.X_OK):
            raise FileNotFoundError(
                errno.ENOENT, "its interpreter no longer exists: reinstall it, or cancel the job", context.executable
            )
        worker = command("worker", start.folder, executable=context.executable, root=context.package_root, flags=context.flags)
        return LaunchRequest(start.folder, content, worker, environment, self._output(start), self._choice(start).kind)

    def _request(self, start: Start) -> dict[str, Any]:
        job, record, context = start.job, start.job.record, start.job.context
        permission = allowlist.permission(job.target, start.settings)
        assert permission is not None  # checked at the claim
        return {
            "job": {"id": record.id, "uid": record.uid, "name": record.name, "attempt": start.number},
            "key": permission.entry.key,
            "method": permission.method,
            "only_from": permission.entry.only_from,
            "by_value": permission.by_value,
            "secrets": {
                "names": [*record.call.secrets, *start.settings.secret_names],
                "values": record.call.hidden,
            },
            "permits": target_rules.extra_permissions(record.call.params, start.settings),
            "init": record.call.init,
            "params": record.call.params,
            "pickled": [f"{self._folder.job(uid)}/{attempt.PARAMETERS}" for uid in job.pickles],
            "positional": job.positional,
            "cwd": context.cwd,
            "path": context.path,
            "umask": context.umask,
            "allotment": context.allotment,
            "exit_grace_seconds": start.settings.exit_grace_seconds,
            "max_output_bytes": start.settings.max_output_bytes,
        }

    def _hook(self, start: Start) -> dict[str, Any]:
        """Return the additional part of a request to call a hook: its name, and where the job's end is recorded."""
        if start.number:
            return {}
        job, record = start.job, start.job.record
        return {
            "hook": {
                "name": job.hook_for(record.state),
                "attempt": self._last_folder(job),
                "outcome": job.last_outcome,
                "error": f"job {record.id} ({job.target}): {record.error}",
            }
        }

    def _output(self, start: Start) -> str | None:
        """Return the file for an attempt's output; a hook prints to the log of the attempt before it."""
        return None if start.number else f"{self._last_folder(start.job)}/{attempt.OUTPUT}"

    def _last_folder(self, job: ScheduledJob) -> str:
        assert job.last_folder is not None  # a hook is called only after an attempt
        return self._folder.attempt(job.last_folder)


#: Why a job whose row can't be read is not run.
_FORGED = "its database row was not written by ipybgjobs"

#: Number of hooks that are called at once.
_HOOKS_AT_ONCE = 4


def _folder_of(job: ScheduledJob, first: int | str, launches: int) -> str:
    """Return the folder of a launch, relative to the state folder; launches never share one, so a late one affects no other."""
    return f"jobs/{job.record.uid}/{first}" if launches == 1 else f"jobs/{job.record.uid}/{first}.{launches}"


def _forbidden(job: ScheduledJob, settings: Settings) -> str | None:
    """Explain why the files do not allow a job; None if they do."""
    if not allowlist.is_allowed(job.target, settings):
        return "it is not on the allowlist (any more)"
    if job.record.call.has_instance and settings.notebook_code is None:
        return "its instance was sent by value, and allow_notebook_code is off (by now)"
    return target_rules.of_name(job.target).denial(job.record.call.params, settings)


def _denied(job: ScheduledJob | UnreadableJob, why: str) -> str:
    return f"{job.target} was denied: {why}; nothing was started"
