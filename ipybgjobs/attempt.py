"""The attempt folder: the protocol between supervisor and worker, and everything known about an attempt.

Names every file; writes whole or not at all; reads files that a crash may have cut short or that someone may have replaced.
`reports` parses their content. It never touches the store or a process. Every worker loads it, so it imports next to nothing.

===================  ==========================================  =======================================
file                 written by                                  says
===================  ==========================================  =======================================
``request.json``     supervisor, before the launch               what to call, where, with what
``started.json``     worker, before user code, exclusively       who runs it; or ``{"void": true}``: no one may
``output.log``       worker and its children                     everything printed, in order; tracebacks uncut
``withheld.json``    worker, before user code                    which of its submitter's limits the system did not grant
``waiting.json``     worker, while its job waits for others      for which jobs
``outcome.json``     worker, at the end                          how it ended, and the result if it is plain
``outputs.jsonl``    worker                                      everything displayed, each with its place in the log
``progress.json``    worker, a few times a second                its progress
``dropped.json``     supervisor                                  which part of an overlong log was dropped
``result.pkl``       worker                                      the result if it is not plain
``exception.pkl``    worker                                      the exception, where it can be pickled, uncut
``ending.json``      supervisor, before the first signal         why the attempt is being ended
``exit.json``        fork server without a supervisor            exit status, resource use, whether it had begun
===================  ==========================================  =======================================
"""

import contextlib
import errno
import json
import os
import stat
from _thread import get_ident  # threading itself is slow to import
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from . import jsontext

if TYPE_CHECKING:
    import io

REQUEST = "request.json"
STARTED = "started.json"
WITHHELD = "withheld.json"
WAITING = "waiting.json"
OUTPUT = "output.log"
OUTCOME = "outcome.json"
OUTPUTS = "outputs.jsonl"
PROGRESS = "progress.json"
DROPPED = "dropped.json"
RESULT = "result.pkl"
EXCEPTION = "exception.pkl"
ENDING = "ending.json"
EXIT = "exit.json"

#: In the job's folder, beside the attempts: parameters that are not plain JSON. In a group's folder: those its jobs share.
PARAMETERS = "parameters.pkl"

#: Beside the attempts: what a job keeps for its next attempt.
KEPT = "kept"

#: Beside the attempts: where a hook is called.
HOOK = "hook"

#: Exit codes of a worker that could not write its outcome: ``EX_IOERR`` of ``sysexits.h``, and two that nothing else uses, for a
#: permission that its process has lost, and for one of its limits.
OUTCOME_NOT_WRITTEN, OUTCOME_FORBIDDEN, OUTCOME_LIMITED = 74, 174, 175

_PRIVATE = 0o600

#: Error numbers of a hard link on a file system that has none.
_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK)

#: Longest JSON file that is read, in bytes: more than a worker writes, and no more than a supervisor can handle.
LONGEST_JSON = 8 << 20


def open_private(path: str, flags: int) -> int:
    """Open a private file, creating it if necessary, so that it can be opened again whatever the umask.

    Raises
    ------
    OSError
        If it can't be opened.
    """
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode) and mode & _PRIVATE != _PRIVATE:
        with contextlib.suppress(OSError):  # a file system that stores no modes
            os.fchmod(descriptor, _PRIVATE)
    return descriptor


def write_whole(path: str, content: bytes | Iterable[bytes], *, durable: bool = False, mode: int = _PRIVATE) -> None:
    """Write a file so that a reader sees all of it or nothing; `durable`: on disk when this returns; `mode`: as for `os.open`.

    The content may come in pieces.

    Raises
    ------
    OSError
        If it can't be written; nothing is left behind.
    """
    partial = f"{path}.{os.getpid()}.{get_ident()}.part"
    try:
        flags = os.O_WRONLY | os.O_TRUNC
        descriptor = (
            open_private(partial, flags) if mode == _PRIVATE else os.open(partial, flags | os.O_CREAT | os.O_CLOEXEC, mode)
        )
        with open(descriptor, "wb") as file:
            file.writelines((content,) if isinstance(content, bytes) else content)
            if durable:
                file.flush()
                os.fsync(descriptor)
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        raise
    if durable:
        sync_folder(os.path.dirname(path))


def write_new(folder: str, name: str, value: Any) -> None:
    """Write one of the JSON files that is not read before its writer announces it."""
    descriptor = open_private(f"{folder}/{name}", os.O_WRONLY | os.O_TRUNC)
    with open(descriptor, "wb") as file:
        file.write(json.dumps(value, separators=(",", ":")).encode())


def write_empty(folder: str, name: str) -> None:
    """Create an empty file, whose existence is the message; it needs a name but no disk space.

    Raises
    ------
    OSError
        If it can't be created.
    """
    os.close(os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, _PRIVATE))


def sync_folder(path: str) -> None:
    """Make the directory entries of a folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(folder: str, name: str, value: Any) -> None:
    """Write one of the JSON files, whole or not at all."""
    write_whole(f"{folder}/{name}", json.dumps(value, separators=(",", ":")).encode())


def read_json(folder: str, name: str, longest: int | None = LONGEST_JSON) -> dict[str, Any] | None:
    """Read one of the JSON files; None if it is absent, incomplete, longer than `longest` bytes, or not a JSON object."""
    try:
        with opened(f"{folder}/{name}") as file:
            size = os.fstat(file.fileno()).st_size
            value = jsontext.parse(file.read(size)) if longest is None or size <= longest else None
    except (OSError, ValueError, MemoryError):
        return None
    return value if isinstance(value, dict) else None


def opened(path: str) -> "io.BufferedReader":
    """Open a file for reading; never blocks, whatever has been put in its place.

    Raises
    ------
    FileNotFoundError
        If there is none, or it is not a regular file but a folder, a pipe or a device.
    OSError
        If it can't be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, "not a file", path)
    return open(descriptor, "rb")


def claim_start(folder: str, claim: dict[str, Any], hold: Callable[[int], bool] | None = None) -> bool:
    """Create ``started.json`` unless it exists; the first process to do so decides whether the attempt runs.

    Parameters
    ----------
    folder : str
        The attempt folder.
    claim : dict
        What the file says.
    hold : callable, optional
        Called with the open file before it has its name; it stays open. Its return value is written to the file as ``held``.

    Returns
    -------
    bool
        Whether this caller was first.
    """
    try:
        return _claim_by_link(folder, claim, hold)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    return _claim_by_name(folder, claim, hold)


def _claim_by_link(folder: str, claim: dict[str, Any], hold: Callable[[int], bool] | None) -> bool:
    """Claim with a hard link: the file gets its name once it is complete."""
    partial = f"{folder}/{STARTED}.{os.getpid()}.{os.urandom(4).hex()}.part"  # PIDs repeat in other namespaces
    descriptor = open_private(partial, os.O_RDWR | os.O_TRUNC)
    first = False
    try:
        _write_claim(descriptor, claim, hold)
        os.link(partial, f"{folder}/{STARTED}")
        first = True
    except FileExistsError:
        pass
    finally:
        if hold is None or not first:
            os.close(descriptor)
        os.unlink(partial)
    return first


def _claim_by_name(folder: str, claim: dict[str, Any], hold: Callable[[int], bool] | None) -> bool:
    """Claim without links: the file has its name first, and a reader that finds it incomplete looks for the process."""
    try:
        descriptor = open_private(f"{folder}/{STARTED}", os.O_RDWR | os.O_EXCL)
    except FileExistsError:
        return False
    _write_claim(descriptor, claim, hold)
    if hold is None:
        os.close(descriptor)
    return True


def _write_claim(descriptor: int, claim: dict[str, Any], hold: Callable[[int], bool] | None) -> None:
    said = claim if hold is None else claim | {"held": hold(descriptor)}
    os.write(descriptor, json.dumps(said).encode())


def tail(path: str, lines: int | None = None, longest: int | None = None, floor: int = 0) -> str:
    """Read a log: all of it, or its last `lines`, cut to the last `longest` bytes; an unreadable log is empty.

    Only what is needed is read, and nothing before the offset `floor`.
    """
    try:
        with opened(path) as file:
            return _text(file.read() if lines is None else _last_lines(file, lines, longest, floor))
    except OSError:
        return ""


def _text(content: bytes) -> str:
    return content.decode("utf-8", "backslashreplace")


def _last_lines(file: Any, lines: int, longest: int | None = None, floor: int = 0, block: int = 65536) -> bytes:
    if lines <= 0:
        return b""
    position = file.seek(0, os.SEEK_END)
    content = b""
    while position > floor and content.count(b"\n", 0, -1) < lines and (longest is None or len(content) < longest):
        step = min(block, position - floor)
        position, block = position - step, block * 2
        file.seek(position)
        content = file.read(step) + content
    ended = content.endswith(b"\n")
    kept = content.split(b"\n")[-lines - ended :]  # not at carriage returns: a progress bar is one line
    found = b"\n".join(kept)
    return found if longest is None else found[-longest:]
