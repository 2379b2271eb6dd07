"""Take over the jobs of places that are gone: a replaced container, a rebooted machine, a moved volume.

It changes only the jobs' place, in one transaction while the old place's locks are held. The supervisor finds out what became of
attempts that ran there. An attempt whose process lives on, although everything else there is gone, stays with its place.
"""

import contextlib
import os

from msgspec import Struct

from ..model.records import Owner
from ..state import occupancy
from ..state.folder import StateFolder
from ..system.place import Place
from . import places
from .database import Database

#: Most jobs that a message names; others are counted.
_NAMED = 10


class TakeoverResult(Struct, frozen=True):
    """The result of checking the other places.

    Parameters
    ----------
    messages : tuple of str
        A sentence for each place whose jobs were taken over.
    others : bool
        Whether any other place has work.
    has_survivors : bool
        Whether a process lives on in a place that is otherwise gone, so that its end must be awaited.
    """

    messages: tuple[str, ...] = ()
    others: bool = False
    has_survivors: bool = False


def take_over(folder: StateFolder, database: Database, owner: Owner, *, idle: bool = False) -> TakeoverResult:
    """Take over the jobs of places that are certainly gone.

    Parameters
    ----------
    folder : StateFolder
        The state folder.
    database : Database
        Its store.
    owner : Owner
        The new owner of the jobs.
    idle : bool
        Whether to also forget places that are gone and left no work.
    """
    messages: list[str] = []
    survivors = False
    others = places.others(database, owner.place, idle=idle)
    for other in others:
        with occupancy.locked_if_gone(folder, other) as gone:
            if gone:
                jobs, alive = _take(folder, database, owner, other)
                messages += [_sentence(jobs, other)] if jobs else []
                survivors |= alive
    return TakeoverResult(tuple(messages), bool(others), survivors)


def _take(folder: StateFolder, database: Database, owner: Owner, other: Place) -> tuple[list[int], bool]:
    """Take over a place's jobs, and forget it once nothing is left; return their ids, and whether one of its processes lives."""
    live = [
        job_id for job_id, relative in places.attempts(database, other.key) if occupancy.is_attempt_held(folder.attempt(relative))
    ]
    with database.transaction() as connection:
        places.record_own(connection, folder.path)
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
