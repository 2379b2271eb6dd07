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
from .view import Reader


def job(kind: Callable[..., Any], reader: Reader, path: str, job_id: int, uid: str) -> Any:
    """Return a handle on a job; if the store can't be read, it keeps its old id.

    Parameters
    ----------
    kind : callable
        Makes the handle.
    reader : Reader
        The client of this process.
    path : str
        The state folder.
    job_id : int
        Its old id.
    uid : str
        The job's identifier on any machine.
    """
    folder = StateFolder(path)
    with contextlib.suppress(BackgroundJobError):
        if os.path.exists(folder.database):
            job_id = queries.job(reader.database(folder), uid).id
    return kind(reader, folder, job_id, uid)


def group(kind: Callable[..., Any], reader: Reader, path: str, group_id: int, uid: str | None) -> Any:
    """Return a handle on a group in the same way; `uid`: None if it was no longer known."""
    folder = StateFolder(path)
    with contextlib.suppress(BackgroundJobError):
        if uid is not None and os.path.exists(folder.database):
            found = listing.group(reader.database(folder), uid)
            group_id = group_id if found is None else found.id
    return kind(reader, folder, group_id)
