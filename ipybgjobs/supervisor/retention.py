"""Removing what nobody needs any more, in small steps: jobs by the configuration's retention, and folders that belong to no job.

A folder without a row goes only where it is known why it has none: a note says that its removal was cut short, or it is younger
than the store and nothing ever ran in it, so a client left it that died before its commit. What an attempt left goes by nobody's
guess: the row may be in a store that was moved aside, or be what is damaged.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator

from ..configuration.settings import Settings
from ..state import attempt, removal_notes
from ..state.folder import StateFolder
from ..state.removal_notes import Removal
from ..store import queries, removals
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
        self._more = True  # whether the last step has left something to do
        self._settings: Settings | None = None  # what the files said at the last look

    @property
    def busy(self) -> bool:
        """Whether there is more to do at once."""
        return self._more

    def wait(self) -> float:
        """Seconds until the next step."""
        return max(0.0, self._due - time.monotonic())

    def step(self, settings: Settings) -> None:
        """Do a little, where it is due; at once where the files say something else than before."""
        if settings != self._settings:
            self._settings, self._due = settings, 0.0
        if self.wait():
            return
        self._due, self._more = time.monotonic() + _LATER, False  # also where something keeps it from working
        more = self._retain(settings)
        if self._strays is not None:
            more = True
            if next(self._strays, StopIteration) is StopIteration:
                self._strays = None
        self._due, self._more = time.monotonic() + (_SOON if more else _LATER), more

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
            if found:
                gone += self._remove(found, rule)
        return gone > 0

    def _remove(self, job_ids: list[int], rule: Rule) -> int:
        with Removal(self._folder) as removal:
            jobs, groups = removals.remove(self._database, job_ids, removal.announce, rule)
        removal.finish([*jobs, *groups])
        return len(jobs)

    def _look_for_strays(self) -> Iterator[None]:
        """Look at every folder of a job, some at a time, and remove those that are known to be nobody's."""
        limit, born = self._clock() - OLDEST, self._database.born()
        self._finish_removals(born or 0.0, limit)
        if born is None:
            return  # an older version made the store: nothing tells its folders from those of another
        with contextlib.suppress(FileNotFoundError), os.scandir(self._folder.jobs) as entries:
            for number, entry in enumerate(entries, 1):
                if _is_stray(entry.path, born, limit) and not self._is_known(entry.name):
                    self._folder.remove([entry.name])
                elif removal_notes.is_cut_short(entry, limit):
                    with contextlib.suppress(OSError):
                        os.unlink(entry.path)
                if number % _FOLDERS == 0:
                    yield

    def _finish_removals(self, born: float, limit: float) -> None:
        """Finish the removals that a crash has cut short; a note whose rows are there may be that of one under way."""
        for note, written, uids in removal_notes.announced(self._folder):
            if written > born:
                self._folder.remove(uid for uid in uids if not self._is_known(uid))
            if written < limit:
                with contextlib.suppress(OSError):
                    os.unlink(note)

    def _is_known(self, uid: str) -> bool:
        return bool(queries.known(self._database, [uid]))


def _is_stray(path: str, born: float, limit: float) -> bool:
    """Whether a folder is of this store, old, and holds what a client writes before its commit and no more."""
    try:
        return born < os.stat(path).st_mtime < limit and all(name.startswith(attempt.PARAMETERS) for name in os.listdir(path))
    except OSError:
        return False
