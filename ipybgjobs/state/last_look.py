"""When the user last looked at jobs: in a panel or card, in a cell of a notebook, or by the command line."""

import contextlib
import json

from ..system import interrupt_shield, private_file
from .folder import StateFolder


def record(folder: StateFolder, now: float) -> None:
    """Record that the user has looked; what can't be recorded is forgotten, and told as news once more."""
    with contextlib.suppress(OSError):  # a full disk, or no state folder yet
        interrupt_shield.run(lambda: private_file.write_whole(folder.last_look_file(), json.dumps({"at": now}).encode()))


def read(folder: StateFolder) -> float | None:
    """Return when the user last looked; None if that is not known."""
    value = private_file.read_json(folder.path, "seen.json") or {}
    moment = value.get("at")
    return moment if isinstance(moment, int | float) else None
