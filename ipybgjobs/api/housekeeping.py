"""Pausing and resuming queues, and removing jobs that are no longer needed."""

from collections.abc import Sequence

from ..client import cleaning
from ..client.cleaning import Cleaning
from ..client.client import client


def pause(queue: str | None = None) -> list[str]:
    """Pause a queue for every notebook until `resume` is called: none of its jobs start, and running jobs continue.

    Parameters
    ----------
    queue : str, optional
        By default every configured queue.

    Returns
    -------
    list of str
        The queues that are paused.

    Raises
    ------
    InvalidParameters
        If there is no such queue.
    StoreError
        If the state folder can't be used.

    Examples
    --------
    >>> ipybgjobs.pause("default")
    ['default']
    >>> ipybgjobs.resume("default")
    ['default']
    """
    return client().pause(queue)


def resume(queue: str | None = None) -> list[str]:
    """Resume a paused queue, so that its jobs start again.

    Parameters
    ----------
    queue : str, optional
        By default every paused queue.

    Returns
    -------
    list of str
        The queues that were paused.

    Raises
    ------
    InvalidRequest
        If the queue is not paused.
    InvalidParameters
        If there is no such queue.
    StoreError
        If the state folder can't be used.

    Examples
    --------
    >>> paused = ipybgjobs.pause()
    >>> ipybgjobs.resume() == paused
    True
    """
    return client().resume(queue)


def clean(
    state: str | Sequence[str] | None = None,
    older_than: float | str | None = None,
    keep_jobs: int | None = None,
    *,
    dry_run: bool = True,
) -> Cleaning:
    """Report how many finished jobs would be removed, and the size of their files; `dry_run=False` removes them.

    Parameters
    ----------
    state : str or sequence of str, optional
        Only jobs in these states.
    older_than : float or str, optional
        Only jobs that ended longer ago than this duration.
    keep_jobs : int, optional
        Number of most recently finished jobs to keep.
    dry_run : bool
        True, the default: only report what would be removed. False: remove it.

    Returns
    -------
    Cleaning
        The number of jobs, their size, and whether they were removed. Live jobs and jobs marked by `keep()` are never included.

    Raises
    ------
    InvalidParameters
        If `state` is not a state of finished jobs, `older_than` not a duration, `keep_jobs` not a number of jobs, or
        `dry_run` not a bool.
    StoreError
        If the state folder can't be used.

    Examples
    --------
    >>> ipybgjobs.clean(state="succeeded", older_than="30d")
    <0 jobs, 0 B on disk would be removed>
    """
    return cleaning.clean(client(), state, older_than, keep_jobs, dry_run=dry_run)
