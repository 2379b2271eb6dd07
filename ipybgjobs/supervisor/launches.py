"""Launch the attempts that a transaction has claimed, after its commit; one that can't be launched affects no other."""

import time
from collections.abc import Iterable

from msgspec import Struct

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


class Launcher(Struct, frozen=True):
    """Launches attempts.

    Parameters
    ----------
    attempts : Attempts
        The attempts that the supervisor is handling.
    starter : Starter
        Writes attempt folders.
    executor : Executor
        Launches the attempts.
    memory_kills : OomKills
        The kernel's count of out-of-memory kills.
    origins : Origins
        Finds out where an attempt's code comes from.
    logs : LogWriter
        Writes the log files.
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
        """Prepare one attempt; None if it can't be launched."""
        job, run = start.job, ActiveAttempt(start.job.id, start.number, start.folder)
        try:
            request = self.starter.launch(start)
        except OSError as error:
            run.problem = f"job {job.id} can't be started: {launch.reason(error)}"
            self.starter.hold(job, run.problem)
            self.attempts.void(run)
            return None
        except ValueError as error:  # a part of its row that only a launch reads
            self.attempts.refuse(run, f"{job.target} was denied: {error}; nothing was started")
            return None
        self._take_in_hand(run, start)
        return request

    def _take_in_hand(self, run: ActiveAttempt, start: Start) -> None:
        job, record = start.job, start.job.record
        timeout = record.timeout if start.number else LONGEST_HOOK
        run.deadline = None if timeout is None else time.monotonic() + timeout
        run.until = record.deadline if start.number else None
        run.memory_kills = self.memory_kills.recent_count()
        self.attempts.running[start.folder] = run
        if start.number:
            self.origins.want((job.id, start.number), job.context, None if job.source is None else job.source.path)
            head = f"job {job.id} attempt {start.number} of {record.allowed_attempts}"
            self.logs.write(Message(f"{head} {record.call} started"))
