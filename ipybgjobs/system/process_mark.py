"""A mark for finding all processes that an attempt has started, whichever of them have died since.

It is the soft limit on file locks (``RLIMIT_LOCKS``), which no kernel has enforced since Linux 2.4.25. A child inherits it by
fork and keeps it across exec, in any session, with any output and environment; a supervisor started by a job removes it. If a
limit can't be set, no process carries a mark, and left processes are found only by session, parent and log.
"""

import contextlib
import os
import resource

from ..model.hashing import sha256

#: Number of the limit, the same on every Linux; `resource` has no name for it.
_LOCKS = 10

#: The bit that distinguishes a mark from a limit set for other reasons, and the bytes below it that identify the attempt.
_BIT, _BYTES = 1 << 61, 7

#: Depth of an attempt folder in the state folder.
_DEPTH = len(("jobs", "UID", "NUMBER"))

_FIELD = b"Max file locks"


def of_attempt(folder: str) -> int:
    """Return the mark for the processes of an attempt folder; it does not depend on the path to the state folder.

    Links below the state folder are not followed, since a job may create some.
    """
    state, *rest = folder.rsplit("/", _DEPTH)
    path = os.fsencode("/".join([os.path.realpath(state), *rest]))
    return _BIT | int.from_bytes(sha256(path).digest()[:_BYTES])


def apply(mark: int) -> None:
    """Set a mark on this process and all that it starts from now on."""
    with contextlib.suppress(OSError, ValueError):  # a hard limit below it, a sandbox
        resource.setrlimit(_LOCKS, (mark, resource.getrlimit(_LOCKS)[1]))


def remove() -> None:
    """Remove the mark from this process."""
    with contextlib.suppress(OSError, ValueError):
        soft, hard = resource.getrlimit(_LOCKS)
        if _is_mark(soft):
            resource.setrlimit(_LOCKS, (hard, hard))


def of_process(pid: int) -> int | None:
    """Return the mark of a process; None if it has none or is gone."""
    try:
        soft = resource.prlimit(pid, _LOCKS)[0]
    except PermissionError:  # for example of another group: the file is readable by all, but slower
        soft = _read(pid)
    except OSError:
        return None
    return soft if _is_mark(soft) else None


def _read(pid: int) -> int:
    """Read the limit from ``/proc``; 0 if there is none."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/limits", "rb") as file:
        for line in file:
            if line.startswith(_FIELD):
                soft = line.removeprefix(_FIELD).split()[0]
                return int(soft) if soft.isdigit() else 0
    return 0


def _is_mark(limit: int) -> bool:
    return limit >> (8 * _BYTES) == _BIT >> (8 * _BYTES)
