"""By what jobs and groups can be named here: ids and names, newest first; for completion, so it creates no store."""

import contextlib
import os
from collections.abc import Iterable

from ..errors import BackgroundJobError
from ..store import listing
from ..store.database import Database
from .client import Client


def jobs(client: Client, states: Iterable[str], limit: int) -> list[tuple[int, str | None]]:
    """Return the ids and names of the newest jobs, in some states or in any."""
    database = _database(client)
    return [] if database is None else listing.keys(database, states, limit)


def names(client: Client, beginning: str, limit: int) -> list[str]:
    """Return names of jobs that begin with a text."""
    database = _database(client)
    return [] if database is None else listing.names(database, beginning, limit)


def groups(client: Client, limit: int) -> list[tuple[int, str | None]]:
    """Return the ids and names of the newest groups."""
    database = _database(client)
    return [] if database is None else listing.group_keys(database, limit)


def _database(client: Client) -> Database | None:
    """Return the store, if there is one."""
    with contextlib.suppress(BackgroundJobError):
        folder = client.folder()
        return client.database(folder) if os.path.exists(folder.database) else None
    return None
