"""Taking over the jobs of places that are gone: a container that was replaced, a machine that was rebooted, a volume that moved.

Only whose they are changes, in one transaction while the place's locks are held. What becomes of an attempt that ran there is
the supervisor's to find out. An attempt whose process lives on where all else is gone stays with its place.
"""

import contextlib
import os
from dataclasses import dataclass

from . import occupancy
from .folder import StateFolder
from .models import Owner
from .process.place import Place
from .store import places
from .store.database import Database

#: Jobs that a message names; of more it says how many.
_NAMED = 10


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the other places has found.

    Parameters
    ----------
    said : tuple of str
        A sentence for each place whose jobs were taken over.
    others : bool
        Whether any other place has work.
    outlived : bool
        Whether a process lives on in a place that is gone otherwise, so that its end is to be waited for.
    """

    said: tuple[str, ...] = ()
    others: bool = False
    outlived: bool = False


def take_over(folder: StateFolder, database: Database, owner: Owner, *, idle: bool = False) -> Look:
    """Take over what is left in places that are gone for certain.

    Parameters
    ----------
    folder : StateFolder
        The state folder.
    database : Database
        Its store.
    owner : Owner
        Whose the jobs are from here on.
    idle : bool
        Whether to forget places that are gone and have left no work, too.
    """
    said: list[str] = []
    outlived = False
    others = places.others(database, owner.place, idle=idle)
    for other in others:
        with occupancy.vacated(folder, other) as gone:
            if gone:
                jobs, alive = _take(folder, database, owner, other)
                said += [_sentence(jobs, other)] if jobs else []
                outlived |= alive
    return Look(tuple(said), bool(others), outlived)


def _take(folder: StateFolder, database: Database, owner: Owner, other: Place) -> tuple[list[int], bool]:
    """Take over one place's jobs, and forget it once nothing is left; say which, and whether a process of it lives."""
    live = [
        job_id for job_id, relative in places.attempts(database, other.key) if occupancy.is_attempt_held(folder.attempt(relative))
    ]
    with database.transaction() as connection:
        places.note_here(connection, folder.path)
        taken = places.take_over(connection, other.key, owner, live)
        if not live:
            places.forget(connection, other.key)
    if not live:
        _clear(folder, other)
    return taken, bool(live)


def _clear(folder: StateFolder, other: Place) -> None:
    """Remove the files of a place, whose locks are held."""
    for path in folder.of_place(other.key if other.boot else other.host):
        with contextlib.suppress(OSError):
            os.unlink(path)


def _sentence(jobs: list[int], other: Place) -> str:
    named = ", ".join(map(str, jobs[:_NAMED])) + (f" and {len(jobs) - _NAMED:,} more" if len(jobs) > _NAMED else "")
    what = f"job {named}" if len(jobs) == 1 else f"jobs {named}"
    return f"{what} of {other.host} taken over: that machine or container is gone"
