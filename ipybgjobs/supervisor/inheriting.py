"""Taking over the jobs of places that are gone: a container that was replaced, a machine that was rebooted, a volume that moved.

It decides nothing about an attempt: what it takes over is looked at like anything that a dead supervisor has left. An attempt
whose process lives on where its place is gone otherwise stays with that place, and is looked at again.
"""

import contextlib
import os
import time

from .. import presence
from ..folder import StateFolder
from ..models import Owner
from ..process.place import Place
from ..store import places
from ..store.database import Database

#: Seconds between two looks while another place has work.
_PAUSE = 2.0

#: Jobs that a message names; of more it says how many.
_NAMED = 10


class Heir:
    """Takes over what is nobody's any more, in one state folder.

    Parameters
    ----------
    folder : StateFolder
        The state folder.
    database : Database
        Its store.
    owner : Owner
        Whose supervisor this is.
    """

    def __init__(self, folder: StateFolder, database: Database, owner: Owner) -> None:
        self._folder = folder
        self._database = database
        self._owner = owner
        self._due: float | None = 0.0  # on the monotonic clock; None: no other place has work
        self._first = True
        self.waiting = False  #: whether a process lives on in a place that is gone otherwise: its end is waited for

    def wait(self) -> float | None:
        """Seconds until the next look; None where nothing calls for one."""
        return None if self._due is None else max(0.0, self._due - time.monotonic())

    def look_again(self) -> None:
        """The store has changed: another place may have work now."""
        if self._due is None:
            self._due = time.monotonic() + _PAUSE

    def step(self) -> tuple[list[int], list[str]]:
        """Take over what is due.

        Returns
        -------
        (list of int, list of str)
            Jobs with an attempt that has not ended, to be looked at; and what is to be said.
        """
        if self.wait() != 0.0:
            return [], []
        running: list[int] = []
        said: list[str] = []
        self.waiting = False
        others = places.others(self._database, self._owner.place, idle=self._first)
        for other in others:
            with presence.vacated(self._folder, other) as gone:
                if gone:
                    jobs, found = self._take(other)
                    running += found
                    said += [_sentence(jobs, other)] if jobs else []
        self._first = False
        self._due = time.monotonic() + _PAUSE if others else None
        return running, said

    def _take(self, other: Place) -> tuple[list[int], list[int]]:
        """Take over one place's jobs, and forget it once nothing is left."""
        live = [
            job_id
            for job_id, folder in places.attempts(self._database, other.key)
            if folder and presence.is_attempt_held(self._folder.attempt(folder))
        ]
        with self._database.transaction() as connection:
            taken = places.take_over(connection, other.key, self._owner, live)
            if not live:
                places.forget(connection, other.key)
        if live:
            self.waiting = True
        else:
            self._clear(other)
        return taken

    def _clear(self, other: Place) -> None:
        """Remove the files of a place, whose locks are held."""
        for path in self._folder.of_place(other.key if other.boot else other.host):
            with contextlib.suppress(OSError):
                os.unlink(path)


def _sentence(jobs: list[int], other: Place) -> str:
    named = ", ".join(map(str, jobs[:_NAMED])) + (f" and {len(jobs) - _NAMED:,} more" if len(jobs) > _NAMED else "")
    return f"{'job' if len(jobs) == 1 else 'jobs'} {named} of {other.host} taken over: the place they ran in is gone"
