"""Run the command of `on_finish`: without a shell, in the job's environment, a few at a time; its outcome changes nothing."""

import time
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..state.folder import StateFolder
from ..system import launch
from .effects import FinishCommand

if TYPE_CHECKING:
    import subprocess

#: Number of commands that run at once, and the seconds after which one is no longer counted.
_AT_ONCE, _LONGEST = 4, 60.0


class Notifier:
    """The pending and the running commands.

    Parameters
    ----------
    folder : StateFolder
        The state folder; error output of the commands goes to its ``supervisor.err``.
    """

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder
        self._waiting: deque[FinishCommand] = deque()
        self._running: list[tuple[subprocess.Popen[bytes], float]] = []

    @property
    def busy(self) -> bool:
        """Return whether a command is still pending or running."""
        return bool(self._waiting or self._running)

    def add(self, commands: Iterable[FinishCommand]) -> None:
        """Add commands to run soon."""
        self._waiting += commands

    def step(self) -> list[str]:
        """Start as many commands as are allowed; return why some could not be run."""
        limit = time.monotonic() - _LONGEST
        self._running = [(process, began) for process, began in self._running if process.poll() is None and began > limit]
        problems = []
        while self._waiting and len(self._running) < _AT_ONCE:
            finish_command = self._waiting.popleft()
            try:
                self._running.append((self._start(finish_command), time.monotonic()))
            except (OSError, ValueError) as error:
                problems.append(f"job {finish_command.job_id}: on_finish could not be run: {error}")
        return problems

    def _start(self, finish_command: FinishCommand) -> "subprocess.Popen[bytes]":
        import shutil  # here, since it loads all compressions

        environment = finish_command.environment.variables()
        program = shutil.which(finish_command.command[0], path=environment.get("PATH"))
        if program is None:
            raise ValueError(f"the program {finish_command.command[0]} was not found")
        return launch.in_session([program, *finish_command.command[1:]], self._folder.errors, environment, finish_command.cwd)
