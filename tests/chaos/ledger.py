"""The independent record: what the clients were promised and what the jobs really did.

Append-only files of one JSON line an event, each line one write: whoever is killed loses at most the line that was not
written yet, and no two lines mix. It never looks at the store, and every job loads it, so it imports next to nothing.
"""

import json
import os
import time


class Ledger:
    """One file of events.

    Parameters
    ----------
    path : str
        The file; made with the first event.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def write(self, what: str, **facts: object) -> None:
        """Append an event with the time and the PID of its writer."""
        line = json.dumps({"what": what, "at": time.time(), "by": os.getpid(), **facts}, separators=(",", ":"))
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, line.encode() + b"\n")
        finally:
            os.close(descriptor)

    def read(self) -> list[dict]:
        """Return the events, in the order in which they were written."""
        if not os.path.exists(self.path):
            return []
        with open(self.path, encoding="utf-8") as file:
            return [json.loads(line) for line in file]
