"""Keep logs within ``max_output_bytes``: head and tail stay, the middle is freed on disk; the job notices nothing."""

import os
import stat
import time
from collections.abc import Iterable

from ..state import attempt, reports
from ..system import private_file, sparse

#: Seconds between two checks of the logs of running attempts.
INTERVAL = 1.0


class Limiter:
    """Checks logs at intervals."""

    def __init__(self) -> None:
        self._due = 0.0  # on the monotonic clock

    def step(self, folders: Iterable[str], limit: int | None) -> None:
        """Check the logs of some attempts, if it is time."""
        now = time.monotonic()
        if limit is None or now < self._due:
            return
        self._due = now + INTERVAL
        for folder in folders:
            shorten(folder, limit)


def shorten(folder: str, limit: int) -> None:
    """Drop the middle of a log that takes more than a limit in bytes.

    The dropped range is recorded first, so that no reader takes zeros for text.
    """
    path = f"{folder}/{attempt.OUTPUT}"
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_blocks * 512 <= limit:
            return
        half = limit // 2
        known = reports.dropped(folder)
        first = known.begin if known else -(-half // sparse.BLOCK) * sparse.BLOCK
        last = (status.st_size - half) // sparse.BLOCK * sparse.BLOCK
        begin = max(first, known.end if known else first)
        if last > begin:
            private_file.write_json(folder, attempt.DROPPED, {"from": first, "to": last})
            if not sparse.punch(path, begin, last):
                _cut(folder, path, first)
    except OSError:
        pass  # a folder that is gone, or a full disk: checked again later


def _cut(folder: str, path: str, first: int) -> None:
    """Drop everything after the head if no hole can be punched in the middle; later output is kept again.

    The file gets its length back, so that its writers and the positions of displays in it stay valid.
    """
    size = os.stat(path).st_size
    private_file.write_json(folder, attempt.DROPPED, {"from": first, "to": size})
    os.truncate(path, first)
    os.truncate(path, size)
