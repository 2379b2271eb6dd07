"""Removing what nobody needs any more, in small steps: jobs by the retention of the configuration, folders that belong to no job.

Folders go by age, never by guess: a client that died before its commit left them, or a removal that was cut short.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator

from ..folder import StateFolder
from ..settings import Settings
from ..store import removals
from ..store.database import Database
from ..store.removals import Rule

#: Seconds after which a folder without a row is nobody's: no submit takes that long.
OLDEST = 86_400.0

#: Jobs removed, or folders looked at, in one step.
_JOBS, _FOLDERS = 20, 200

#: Seconds between two steps while there is more to do, and between two looks when there was nothing.
_SOON, _LATER = 0.05, 60.0

_DAY = 86_400.0


class Tidier:
    """Tidies one state folder, a step at a time.

    Parameters
    ----------
    folder : StateFolder
        The state folder.
    database : Database
        Its store.
    clock : callable
        Seconds since the epoch.
    """

    def __init__(self, folder: StateFolder, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._database = database
        self._clock = clock
        self._strays: Iterator[None] | None = self._look_for_strays()
        self._due = 0.0  # on the monotonic clock
        self._settings: Settings | None = None  # what the files said at the last look

    @property
    def busy(self) -> bool:
        """Whether there is more to do at once."""
        return self._due < time.monotonic() + _SOON * 2

    def wait(self) -> float:
        """Seconds until the next step."""
        return max(0.0, self._due - time.monotonic())

    def step(self, settings: Settings) -> None:
        """Do a little, where it is due; at once where the files say something else than before."""
        if settings != self._settings:
            self._settings, self._due = settings, 0.0
        if self.wait():
            return
        self._due = time.monotonic() + _LATER  # also where something keeps it from working
        more = self._retain(settings)
        if self._strays is not None:
            more = True
            if next(self._strays, StopIteration) is StopIteration:
                self._strays = None
        self._due = time.monotonic() + (_SOON if more else _LATER)

    def _retain(self, settings: Settings) -> bool:
        """Remove some of the jobs that the configuration no longer keeps; whether there may be more."""
        rules = []
        if settings.keep_days is not None:
            rules.append(Rule(ended_before=self._clock() - settings.keep_days * _DAY))
        if settings.keep_jobs is not None:
            rules.append(Rule(newest=settings.keep_jobs))
        gone = 0
        for rule in rules:
            found = [job_id for job_id, _ in removals.removable(self._database, rule, _JOBS)]
            for uids in removals.remove(self._database, found, rule) if found else ():
                self._folder.remove(uids)
                gone += len(uids)
        return gone > 0

    def _look_for_strays(self) -> Iterator[None]:
        """Look at every folder of a job, some at a time, and remove those that are old and have no row."""
        limit = self._clock() - OLDEST
        with contextlib.suppress(FileNotFoundError), os.scandir(self._folder.jobs) as entries:
            for number, entry in enumerate(entries, 1):
                if _is_old(entry.path, limit) and not self._is_known(entry.name):
                    self._folder.remove([entry.name])
                if number % _FOLDERS == 0:
                    yield

    def _is_known(self, uid: str) -> bool:
        sql = "SELECT 1 FROM jobs WHERE uid = ? UNION ALL SELECT 1 FROM groups WHERE uid = ?"
        return bool(self._database.read(sql, (uid, uid)))


def _is_old(path: str, limit: float) -> bool:
    try:
        return os.stat(path).st_mtime < limit
    except FileNotFoundError:
        return False
