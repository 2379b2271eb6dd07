"""A mark by which everything that an attempt has started is found, whoever has died since.

It is the soft limit on file locks (``RLIMIT_LOCKS``), which no kernel has enforced since Linux 2.4.25. A child has it by fork
and keeps it across exec, in whatever session, with whatever output and environment; a supervisor that a job starts takes it
off. Where a limit can't be set, nobody bears a mark, and what is left is found by session, parent and log alone.
"""

import contextlib
import hashlib
import os
import resource

#: Its number, the same on every Linux; `resource` has no name for it.
_LOCKS = 10

#: The bit that tells a mark from a limit that somebody has set, and the bytes below it that say whose it is.
_BIT, _BYTES = 1 << 61, 7

#: How deep an attempt folder is in the state folder.
_DEPTH = len(("jobs", "UID", "NUMBER"))

_FIELD = b"Max file locks"


def of_attempt(folder: str) -> int:
    """Return the mark of what runs in an attempt folder: the same by whatever path the state folder is reached.

    Links below that are not followed, since a job may make some.
    """
    state, *rest = folder.rsplit("/", _DEPTH)
    path = os.fsencode("/".join([os.path.realpath(state), *rest]))
    return _BIT | int.from_bytes(hashlib.sha256(path).digest()[:_BYTES])


def put_on(mark: int) -> None:
    """Have this process, and all that it starts from now on, bear a mark."""
    with contextlib.suppress(OSError, ValueError):  # a hard limit below it, a sandbox
        resource.setrlimit(_LOCKS, (mark, resource.getrlimit(_LOCKS)[1]))


def take_off() -> None:
    """Have this process bear no mark."""
    with contextlib.suppress(OSError, ValueError):
        soft, hard = resource.getrlimit(_LOCKS)
        if _is_mark(soft):
            resource.setrlimit(_LOCKS, (hard, hard))


def of_process(pid: int) -> int | None:
    """Return the mark that a process bears; None where it bears none, or is gone."""
    try:
        soft = resource.prlimit(pid, _LOCKS)[0]
    except PermissionError:  # of another group, say: the file is everybody's to read, and takes longer
        soft = _read(pid)
    except OSError:
        return None
    return soft if _is_mark(soft) else None


def _read(pid: int) -> int:
    """The limit as a file shows it; 0 where there is none."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/limits", "rb") as file:
        for line in file:
            if line.startswith(_FIELD):
                soft = line.removeprefix(_FIELD).split()[0]
                return int(soft) if soft.isdigit() else 0
    return 0


def _is_mark(limit: int) -> bool:
    return limit >> (8 * _BYTES) == _BIT >> (8 * _BYTES)
