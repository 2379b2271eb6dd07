"""Launching what a transaction has claimed, once that is committed: one that can't be launched costs itself, and no other."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from ..executors.executor import Executor
from ..executors.launch_request import LaunchRequest
from ..system import launch
from ..system.oom import OomKills
from .attempts import Attempts
from .effects import Start
from .job_logs import LogWriter, Message
from .origins import Origins
from .running import ActiveAttempt
from .starts import Starter

#: Longest duration of a hook, in seconds.
LONGEST_HOOK = 600.0


@dataclass(frozen=True, slots=True)
class Launcher:
    """Launches attempts.

    Parameters
    ----------
    attempts : Attempts
        What the supervisor has in hand.
    starter : Starter
        Writes attempt folders.
    executor : Executor
        Who launches.
    memory_kills : OomKills
        What the kernel counts.
    origins : Origins
        Told whose code is to be looked at.
    logs : LogWriter
        Where it is said.
    """

    attempts: Attempts
    starter: Starter
    executor: Executor
    memory_kills: OomKills
    origins: Origins
    logs: LogWriter

    def launch(self, starts: Iterable[Start]) -> None:
        """Launch attempts that have been claimed."""
        self.executor.launch([request for start in starts if (request := self._request(start)) is not None])

    def _request(self, start: Start) -> LaunchRequest | None:
        """Prepare one attempt; None where it can't be launched."""
        task, run = start.task, ActiveAttempt(start.task.id, start.number, start.folder)
        try:
            request = self.starter.launch(start)
        except OSError as error:
            run.problem = f"job {task.id} can't be started: {launch.reason(error)}"
            self.starter.hold(task, run.problem)
            self.attempts.void(run)
            return None
        except ValueError as error:  # a part of its row that only a launch reads
            self.attempts.refuse(run, f"{task.target} was denied: {error}; nothing was started")
            return None
        self._take_in_hand(run, start)
        return request

    def _take_in_hand(self, run: ActiveAttempt, start: Start) -> None:
        task, record = start.task, start.task.record
        timeout = record.timeout if start.number else LONGEST_HOOK
        run.deadline = None if timeout is None else time.monotonic() + timeout
        run.until = record.deadline if start.number else None
        run.memory_kills = self.memory_kills.recent_count()
        self.attempts.running[start.folder] = run
        if start.number:
            self.origins.want((task.id, start.number), task.context, None if task.source is None else task.source.path)
            head = f"job {task.id} attempt {start.number} of {record.allowed_attempts}"
            self.logs.write(Message(f"{head} {record.call} started"))
