"""Find the jobs that a new job depends on, however they are given; it only reads the store."""

from collections.abc import Iterable
from typing import Any

from ..errors import InvalidParameters, UnknownJob
from ..model import job_key
from ..model.redaction import quoted
from ..store import listing, queries
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
        If a value does not name a job, or names both a job and a group.
    UnknownJob
        If one does not exist.
    """
    found: list[tuple[int, int]] = []
    for each, any_outcome in after:
        if isinstance(each, (Group, list, tuple)):
            found += ids(database, ((job, any_outcome) for job in each))
        elif isinstance(each, Job):
            found.append((queries.job(database, each.uid).id, any_outcome))  # by uid: it may belong to another state folder
        elif isinstance(each, str):
            found += ((job_id, any_outcome) for job_id in _named(database, each))
        elif isinstance(each, int) and not isinstance(each, bool):
            found.append((queries.job(database, each).id, any_outcome))
        else:
            raise InvalidParameters(f"after takes a job, its id, its name, or a group; got {quoted(each)}.")
    return tuple(found)


def _named(database: Database, name: str) -> list[int]:
    """Return the ids of the job with a name or uid, or of all jobs of the group; a number is a job's id."""
    group = None if isinstance(job_key.of(name), int) else listing.group(database, name)
    try:
        job = queries.job(database, name)
    except UnknownJob:
        if group is None:
            raise
        return listing.member_ids(database, group.id)
    if group is None:
        return [job.id]
    if job.group_id == group.id:
        return listing.member_ids(database, group.id)
    raise InvalidParameters(
        f"{quoted(name)} is the name of job {job.id} and of group {group.id}: pass {job.id} for the job, "
        f"or {quoted(group.uid)} for the jobs of the group."
    )
