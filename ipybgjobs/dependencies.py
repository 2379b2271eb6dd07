"""What a new job comes after, as somebody names it, by id; it only reads the store."""

from collections.abc import Iterable
from typing import Any

from .errors import InvalidParameters
from .handle import Job
from .jobgroup import Group
from .redaction import quoted
from .store import records
from .store.database import Database


def ids(database: Database, after: Iterable[tuple[Any, bool]]) -> tuple[tuple[int, int], ...]:
    """Return the jobs that another is to come after, by id, each with: whatever becomes of it.

    Parameters
    ----------
    database : Database
        The store.
    after : iterable of (object, bool)
        Jobs, groups, ids, names, uids, or lists of them.

    Raises
    ------
    InvalidParameters
        If something names no job.
    UnknownJob
        If one is not there.
    """
    found: list[tuple[int, int]] = []
    for each, anyway in after:
        if isinstance(each, (Group, list, tuple)):
            found += ids(database, ((job, anyway) for job in each))
        elif isinstance(each, Job):
            found.append((records.job(database, each.uid).id, anyway))  # by uid: it may be of another state folder
        elif isinstance(each, (int, str)) and not isinstance(each, bool):
            found.append((records.job(database, each).id, anyway))
        else:
            raise InvalidParameters(f"after takes a job, its id, its name, or a group; got {quoted(each)}.")
    return tuple(found)
