"""Restore unpickled or copied handles by state folder and uid, since ids may differ after a store was rescued.

It reads an existing store, and never creates one.
"""

import contextlib
import os
from collections.abc import Callable
from typing import Any

from ...errors import BackgroundJobError
from ...state.folder import StateFolder
from ...store import listing, queries
from .job_client import JobClient


def job(kind: Callable[..., Any], client: JobClient, path: str, job_id: int, uid: str) -> Any:
    """Return a handle to a job; if the store can't be read, it keeps its old id.

    Parameters
    ----------
    kind : callable
        Makes the handle.
    client : JobClient
        The client of this process.
    path : str
        The state folder.
    job_id : int
        Its old id.
    uid : str
        The job's identifier, unique across machines.
    """
    folder = StateFolder(path)
    with contextlib.suppress(BackgroundJobError):
        if os.path.exists(folder.database):
            job_id = queries.job(client.database(folder), uid).id
    return kind(client, folder, job_id, uid)


def group(kind: Callable[..., Any], client: JobClient, path: str, group_id: int, uid: str | None) -> Any:
    """Return a handle to a group in the same way; `uid`: None if it was no longer known."""
    folder = StateFolder(path)
    with contextlib.suppress(BackgroundJobError):
        if uid is not None and os.path.exists(folder.database):
            found = listing.group(client.database(folder), uid)
            group_id = group_id if found is None else found.id
    return kind(client, folder, group_id)
