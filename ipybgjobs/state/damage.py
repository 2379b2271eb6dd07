"""What a supervisor has found damaged, in a file beside the database: it can be written into no damaged store.

It holds for that one file; where another database has come into its place, it says nothing.
"""

import contextlib
import os
from typing import Any

from ..system import private_file
from .folder import StateFolder


def note(folder: StateFolder, text: str) -> None:
    """Say that the database there is damaged, as far as the disk permits."""
    with contextlib.suppress(OSError):
        private_file.write_json(folder.path, os.path.basename(folder.damage()), {"text": text, "file": _file(folder)})


def forget(folder: StateFolder) -> None:
    """The database was read: it is, or is again, sound."""
    with contextlib.suppress(OSError):
        os.unlink(folder.damage())


def noted(folder: StateFolder) -> str | None:
    """Return what was found damaged of the database that is there now."""
    if not os.path.exists(folder.damage()):
        return None
    found = private_file.read_json(folder.path, os.path.basename(folder.damage())) or {}
    try:
        return str(found["text"]) if found.get("file") == _file(folder) else None
    except (OSError, KeyError):
        return None


def _file(folder: StateFolder) -> list[Any]:
    """What tells a database from another of the same name."""
    found = os.stat(folder.database)
    return [found.st_dev, found.st_ino]
