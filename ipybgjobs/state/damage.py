"""Damage that a supervisor has found, noted in a file beside the database, because a damaged store can't hold it.

It applies to that one database file; once another database has replaced it, it says nothing.
"""

import contextlib
import os
from typing import Any

from ..system import private_file
from .folder import StateFolder


def record(folder: StateFolder, text: str) -> None:
    """Note that the database is damaged, if the disk permits."""
    with contextlib.suppress(OSError):
        private_file.write_json(folder.path, os.path.basename(folder.damage_file()), {"text": text, "file": _file(folder)})


def clear(folder: StateFolder) -> None:
    """Remove the note: the database was read, so it is sound."""
    with contextlib.suppress(OSError):
        os.unlink(folder.damage_file())


def read(folder: StateFolder) -> str | None:
    """Return the damage noted for the current database; None if there is none."""
    if not os.path.exists(folder.damage_file()):
        return None
    found = private_file.read_json(folder.path, os.path.basename(folder.damage_file())) or {}
    try:
        return str(found["text"]) if found.get("file") == _file(folder) else None
    except (OSError, KeyError):
        return None


def _file(folder: StateFolder) -> list[Any]:
    """Return what distinguishes a database file from another of the same name."""
    found = os.stat(folder.database)
    return [found.st_dev, found.st_ino]
