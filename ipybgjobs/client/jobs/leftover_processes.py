"""Processes that attempts left running when they ended: looked up by their mark on request, and recorded nowhere.

Processes in another place, or without a mark (see `system.process_mark`), are not found. It never kills a process.
"""

import time
from collections.abc import Iterable
from typing import NamedTuple

from ...model import moments, redaction
from ...system import identity, process_mark, tree

#: Most characters of a command line that are shown.
_LONGEST = 200

#: Part of the command line that a fork of a worker still has.
_OURS = "/ipybgjobs/start.py "


class Leftover(NamedTuple):
    """A process that an attempt left running."""

    pid: int
    command: str  #: its command line, secrets blanked
    since: float  #: seconds since the epoch

    def line(self, now: float) -> str:
        """Describe the process on one line."""
        return f"PID {self.pid} {self.command} (since {moments.show_near(self.since, now)})"


def of_attempts(folders: Iterable[str], secrets: Iterable[str] = (), now: float | None = None) -> list[Leftover]:
    """Find the processes of attempts that still run.

    Parameters
    ----------
    folders : iterable of str
        Attempt folders.
    secrets : iterable of str
        Values that no text may show.
    now : float, optional
        Seconds since the epoch.
    """
    marks, hidden = set(map(process_mark.of_attempt, folders)), tuple(secrets)
    found = [state for state in tree.living() if process_mark.of_process(state.pid) in marks] if marks else []
    ago = (time.time() if now is None else now) - identity.since_boot()
    return [Leftover(state.pid, _command(state.pid, hidden), ago + identity.seconds(state)) for state in found]


def still_there(folders: Iterable[str]) -> list[str]:
    """Return the folders of attempts with a process that still runs."""
    marks = {found for state in tree.living() if (found := process_mark.of_process(state.pid)) is not None}
    return [folder for folder in folders if process_mark.of_attempt(folder) in marks] if marks else []


def _command(pid: int, secrets: tuple[str, ...]) -> str:
    line = identity.command_line(pid)
    if _OURS in line:
        return "a fork of the job's own process"
    return redaction.cut(redaction.typed(redaction.one_line(redaction.without(line, secrets))), _LONGEST)
