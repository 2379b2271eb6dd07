"""Find the jobs that a new job depends on, however they are given; it only reads the store."""

from collections.abc import Iterable
from typing import Any

from ..errors import InvalidParameters
from ..model.redaction import quoted
from ..store import queries
from ..store.database import Database
from .jobs.group import Group
from .jobs.job import Job


def ids(database: Database, after: Iterable[tuple[Any, bool]]) -> tuple[tuple[int, int], ...]:
    """Return the ids of the jobs that a new one depends on, each with whether any outcome will do.

    Parameters
    ----------
    database : Database
        The store.
    after : iterable of (object, bool)
        Jobs, groups, ids, names, uids, or lists of them.

    Raises
    ------
    InvalidParameters
        If a value does not name a job.
    UnknownJob
        If one does not exist.
    """
    found: list[tuple[int, int]] = []
    for each, any_outcome in after:
        if isinstance(each, (Group, list, tuple)):
            found += ids(database, ((job, any_outcome) for job in each))
        elif isinstance(each, Job):
            found.append((queries.job(database, each.uid).id, any_outcome))  # by uid: it may belong to another state folder
        elif isinstance(each, (int, str)) and not isinstance(each, bool):
            found.append((queries.job(database, each).id, any_outcome))
        else:
            raise InvalidParameters(f"after takes a job, its id, its name, or a group; got {quoted(each)}.")
    return tuple(found)
