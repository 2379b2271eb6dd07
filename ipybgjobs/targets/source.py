"""Examine the file that a target comes from, and read it only if it may have changed.

What a difference means is decided elsewhere.
"""

import hashlib
import os
import stat
from typing import Any

from ..model.source import SourceFile

#: Largest file that is read, in bytes; no module is so large.
_LARGEST = 64 << 20


def as_run(seen: list[Any] | None, submitted: SourceFile | None) -> SourceFile | None:
    """Return the file that a worker has run, with its hash; None if unknown.

    Parameters
    ----------
    seen : list or None
        Path, date, size and hash of what the worker has loaded; None if it left no record: then the file counts if it is
        still as submitted.
    submitted : SourceFile or None
        The file at submit.
    """
    if seen is not None:
        return SourceFile.from_json(seen)
    return submitted if submitted is not None and read(submitted.path) == submitted else None


#: What was read, with the time of the file's last change: a date can be set, and two edits can have the same date.
_read: dict[str, tuple[int, SourceFile]] = {}


def read(path: str | None) -> SourceFile | None:
    """Return a file's state, reading it only if it has changed since last time; None if there is none."""
    if path is None:
        return None
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
            return None  # a job can name a device, or an endless file
        changed, known = _read.get(path, (0, None))
        if known is None or (changed, known.size) != (status.st_ctime_ns, status.st_size):
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            known = SourceFile(path, status.st_mtime_ns, status.st_size, digest)
            _read[path] = (status.st_ctime_ns, known)
    except OSError:
        return None
    return known
