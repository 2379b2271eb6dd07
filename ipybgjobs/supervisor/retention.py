"""Clean up in small steps: remove jobs by the configured retention, and folders that belong to no job.

A folder without a row is removed only if the reason is known: a note says that its removal was interrupted, or it is younger
than the store and nothing ever ran in it, so a client died before its commit. The folder of an attempt is never removed on a
guess: its row may be in a store that was moved aside, or be damaged.
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
from ..store.removals import RemovalFilter

#: Seconds after which a folder without a row is abandoned: no submit takes that long.
OLDEST = 86_400.0

#: Number of jobs removed, or folders checked, in one step.
_JOBS, _FOLDERS = 20, 200

#: Seconds between two steps while there is more to do, and between two checks when there was nothing to do.
_SOON, _LATER = 0.05, 60.0

_DAY = 86_400.0


class Retention:
    """Cleans up one state folder, one step at a time.

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
        self._strays: Iterator[None] | None = self._remove_strays()
        self._due = 0.0  # on the monotonic clock
        self._more = True  # whether the last step left something to do
        self._settings: Settings | None = None  # of the last step

    @property
    def busy(self) -> bool:
        """Return whether there is more to do soon."""
        return self._more

    def wait(self) -> float:
        """Return the seconds until the next step."""
        return max(0.0, self._due - time.monotonic())

    def step(self, settings: Settings) -> None:
        """Do one step if it is due, or at once if the settings have changed."""
        if settings != self._settings:
            self._settings, self._due = settings, 0.0
        if self.wait():
            return
        self._due, self._more = time.monotonic() + _LATER, False  # even if the step fails
        more = self._retain(settings)
        if self._strays is not None:
            more = True
            if next(self._strays, StopIteration) is StopIteration:
                self._strays = None
        self._due, self._more = time.monotonic() + (_SOON if more else _LATER), more

    def _retain(self, settings: Settings) -> bool:
        """Remove some of the jobs that the configuration no longer keeps; return whether there may be more."""
        rules = []
        if settings.keep_days is not None:
            rules.append(RemovalFilter(ended_before=self._clock() - settings.keep_days * _DAY))
        if settings.keep_jobs is not None:
            rules.append(RemovalFilter(newest=settings.keep_jobs))
        gone = 0
        for removal_filter in rules:
            found = [job_id for job_id, _ in removals.removable(self._database, removal_filter, _JOBS)]
            if found:
                gone += self._remove(found, removal_filter)
        return gone > 0

    def _remove(self, job_ids: list[int], removal_filter: RemovalFilter) -> int:
        with Removal(self._folder) as removal:
            jobs, groups = removals.remove(self._database, job_ids, removal.announce, removal_filter)
        removal.finish([*jobs, *groups])
        return len(jobs)

    def _remove_strays(self) -> Iterator[None]:
        """Check all job folders, some at a time, and remove those that are known to be abandoned."""
        limit, born = self._clock() - OLDEST, self._database.created_at()
        self._finish_removals(born or 0.0, limit)
        if born is None:
            return  # an older version created the store, so its folders can't be told from those of another store
        with contextlib.suppress(FileNotFoundError), os.scandir(self._folder.jobs) as entries:
            for number, entry in enumerate(entries, 1):
                if _is_abandoned(entry.path, born, limit) and not self._is_known(entry.name):
                    self._folder.remove([entry.name])
                elif removal_notes.is_cut_short(entry, limit):
                    with contextlib.suppress(OSError):
                        os.unlink(entry.path)
                if number % _FOLDERS == 0:
                    yield

    def _finish_removals(self, born: float, limit: float) -> None:
        """Finish removals that a crash interrupted; a note whose rows still exist may belong to one in progress."""
        for note, written, uids in removal_notes.announced(self._folder):
            if written > born:
                self._folder.remove(uid for uid in uids if not self._is_known(uid))
            if written < limit:
                with contextlib.suppress(OSError):
                    os.unlink(note)

    def _is_known(self, uid: str) -> bool:
        return bool(queries.known(self._database, [uid]))


def _is_abandoned(path: str, born: float, limit: float) -> bool:
    """Return whether a folder belongs to this store, is old, and holds only what a client writes before its commit."""
    try:
        return born < os.stat(path).st_mtime < limit and all(name.startswith(attempt.PARAMETERS) for name in os.listdir(path))
    except OSError:
        return False
