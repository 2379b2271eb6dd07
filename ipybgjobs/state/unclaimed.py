"""Find job folders with attempts without a store: what a store that was moved aside, damaged or removed has left.

It reads only names, and never changes anything.
"""

import contextlib
import os
import re

from .folder import StateFolder

_ATTEMPT = re.compile(r"(\d+)(?:\.(\d+))?")  # its number, and which launch of it, if the first was voided


def count(folder: StateFolder) -> int:
    """Return how many job folders contain attempts."""
    return len(uids(folder))


def uids(folder: StateFolder) -> list[str]:
    """Return the uids of jobs whose folders contain attempts; one with only parameters may belong to a submit in progress."""
    try:
        names = sorted(os.listdir(folder.jobs))
    except OSError:
        return []
    return [name for name in names if name.isalnum() and attempts(folder, name)]


def attempts(folder: StateFolder, uid: str) -> dict[int, str]:
    """Return the attempt folders of a job, by number, relative to the state folder; the last of several launches."""
    found: dict[int, tuple[int, str]] = {}
    with contextlib.suppress(OSError), os.scandir(folder.job(uid)) as entries:
        for entry in entries:
            match = _ATTEMPT.fullmatch(entry.name)
            if match is not None and entry.is_dir(follow_symlinks=False):
                number, launch = int(match[1]), int(match[2] or 1)
                found[number] = max(found.get(number, (0, "")), (launch, f"jobs/{uid}/{entry.name}"))
    return {number: path for number, (_, path) in sorted(found.items())}
