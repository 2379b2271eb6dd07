"""Jobs that finished since the user last looked: one line, printed when the extension is loaded."""

import contextlib
import json
import time

from ..client.client import client
from ..model.records import JobState
from ..state.folder import StateFolder
from ..store import listing
from ..system import interrupt_shield, private_file

#: Failed jobs that are named in the line.
_NAMED = 2


def digest() -> str | None:
    """Return one line about the jobs that finished since the last look, and record this look; None if none finished."""
    folder = client().folder()
    database, since = client().database(folder), _last_look(folder)
    now = time.time()
    record_look(folder, now)
    if since is None:
        return None
    counts, failed = listing.ended_since(database, since, _NAMED)
    if not counts:
        return None
    said = ", ".join(f"{counts[state]:,} {state}" for state in JobState if state in counts)
    named = "".join(f"; job {job.id} ({job.short_title}): {job.error}" for job in failed)
    return f"While you were away: {said}{named}. %bgjobs shows them."


def record_look(folder: StateFolder, now: float) -> None:
    """Record that the user has looked at the jobs."""
    with contextlib.suppress(OSError):  # a full disk: the line is repeated at the next look
        interrupt_shield.run(lambda: private_file.write_whole(folder.last_look_file(), json.dumps({"at": now}).encode()))


def _last_look(folder: StateFolder) -> float | None:
    value = private_file.read_json(folder.path, "seen.json") or {}
    moment = value.get("at")
    return moment if isinstance(moment, int | float) else None
