"""Finding jobs and groups, and iterating over jobs as they finish."""

from collections.abc import Iterable, Iterator

from ..client.client import client
from ..client.jobs import job_list
from ..client.jobs.group import Group
from ..client.jobs.job import Job
from ..client.jobs.job_list import JobList
from ..client.submit import options
from ..errors import InvalidParameters
from ..model.records import JobState
from ..model.redaction import quoted


def jobs(  # noqa: PLR0913 - the columns of a job that one looks for
    state: str | None = None,
    queue: str | None = None,
    target: str | None = None,
    name: str | None = None,
    limit: int = 50,
    *,
    group: Group | int | str | None = None,
) -> JobList:
    """Return jobs, newest first: a list that is displayed as a table.

    Parameters
    ----------
    state, queue, target, name : str, optional
        Only those that match.
    limit : int
        Maximum number of jobs.
    group : Group or int or str, optional
        Only jobs of this group, given as a group, or by id, uid or name.

    Raises
    ------
    InvalidParameters
        If `state` is not a state, another filter is not text, or `limit` is not a number of jobs.
    UnknownJob
        If there is no such group.
    StoreError
        If the state folder can't be used.

    Examples
    --------
    >>> nightly = ipybgjobs.submit("training.square", {"x": 2}, name="nightly").wait()
    >>> [job.state for job in ipybgjobs.jobs(state="succeeded", name="nightly", limit=1)]
    ['succeeded']
    """
    if state is not None and state not in list(JobState):
        raise InvalidParameters(f"state must be one of {', '.join(JobState)}; got {quoted(state)}.")
    for what, value in (("queue", queue), ("target", target), ("name", name)):
        options.text(value, what)
    chosen = group if isinstance(group, Group) or group is None else client().group(group)
    group_id = None if chosen is None else chosen.id
    return client().jobs(limit, state=state, queue=queue, target=target, name=name, group_id=group_id)


def job(key: int | str) -> Job:
    """Return one job.

    Parameters
    ----------
    key : int or str
        Its id, also as text; its uid; or its name (the newest job with that name).

    Raises
    ------
    UnknownJob
        If there is none.
    InvalidParameters
        If `key` is neither an integer nor text.
    StoreError
        If the state folder can't be used.

    Examples
    --------
    >>> submitted = ipybgjobs.submit("training.square", {"x": 5}, name="report")
    >>> ipybgjobs.job("report").result()
    25
    """
    return client().job(key)


def group(key: int | str) -> Group:
    """Return the jobs that were submitted together by one call of `submit_many`.

    Parameters
    ----------
    key : int or str
        The group's id, also as text; its uid; or its name (the newest group with that name).

    Raises
    ------
    UnknownJob
        If there is none.
    InvalidParameters
        If `key` is neither an integer nor text.
    StoreError
        If the state folder can't be used.

    Examples
    --------
    >>> submitted = ipybgjobs.submit_many("training.square", ipybgjobs.grid(x=range(3)), name="sweep")
    >>> ipybgjobs.group("sweep").wait().counts
    {'succeeded': 3}
    """
    return client().group(key)


def as_completed(jobs: Iterable[Job], timeout: float | str | None = None) -> Iterator[Job]:
    """Yield jobs as they finish.

    Parameters
    ----------
    jobs : iterable of Job
        A list of jobs, or a group.
    timeout : float or str, optional
        Seconds, or a duration such as ``"5m"``; None: no limit.

    Raises
    ------
    TimeoutError
        If `timeout` expires; the jobs keep running.
    InvalidParameters
        If `timeout` is not a duration.

    Examples
    --------
    >>> group = ipybgjobs.submit_many("training.square", [{"x": 1}, {"x": 2}])
    >>> for job in ipybgjobs.as_completed(group):
    ...     print(job.params["x"], job.result())
    1 1
    2 4
    """
    return job_list.as_completed(list(jobs), timeout)
