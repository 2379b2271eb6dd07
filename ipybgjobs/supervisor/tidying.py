"""Folders that belong to no job: a client that died before its commit left them. They go by age, never by guess."""

import os
import shutil
import time

from ..folder import StateFolder
from ..store.database import Database

#: Seconds after which a folder without a row is nobody's: no submit takes that long.
OLDEST = 86_400.0


def remove_strays(folder: StateFolder, database: Database, now: float | None = None) -> list[str]:
    """Remove job folders that have no row and are old.

    Parameters
    ----------
    folder : StateFolder
        The state folder.
    database : Database
        Its store.
    now : float, optional
        Seconds since the epoch; by default the clock's.

    Returns
    -------
    list of str
        The uids whose folders were removed.
    """
    limit = (time.time() if now is None else now) - OLDEST
    removed = []
    for uid in filter(lambda uid: _is_old(folder.job(uid), limit), os.listdir(folder.jobs)):
        if not database.read("SELECT 1 FROM jobs WHERE uid = ?", (uid,)):
            shutil.rmtree(folder.job(uid), ignore_errors=True)
            removed.append(uid)
    return removed


def _is_old(path: str, limit: float) -> bool:
    try:
        return os.stat(path).st_mtime < limit
    except FileNotFoundError:
        return False
