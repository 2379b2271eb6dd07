"""Private files: written whole or not at all, read without waiting and within a limit; mode 0600, whatever the umask.

It knows no file names: their meaning is up to its callers. Every worker loads it, so it imports next to nothing.
"""

import contextlib
import errno
import json
import os
import stat
from _thread import get_ident  # threading itself is slow to import
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..model import json_text

if TYPE_CHECKING:
    import io

_PRIVATE = 0o600

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


def open_without_waiting(path: str, flags: int) -> int:
    """Open a file, made with mode 0600 if need be, as an opener for `open`; it never waits for a pipe in its place.

    Raises
    ------
    OSError
        If it can't be opened.
    """
    return os.open(path, flags | os.O_NONBLOCK, _PRIVATE)


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
        try:
            for piece in (content,) if isinstance(content, bytes) else content:
                write_all(descriptor, piece)
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        raise
    if durable:
        sync_folder(os.path.dirname(path))


def write_new(folder: str, name: str, value: Any) -> None:
    """Write one of the JSON files that is not read before its writer announces it."""
    write_new_bytes(folder, name, json.dumps(value, separators=(",", ":")).encode())


def write_new_bytes(folder: str, name: str, content: bytes) -> None:
    """Write a file that is not read before its writer announces it."""
    descriptor = open_private(f"{folder}/{name}", os.O_WRONLY | os.O_TRUNC)
    try:
        write_all(descriptor, content)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, content: bytes) -> None:
    """Write all of the content to a descriptor.

    Raises
    ------
    OSError
        If it can't be written.
    """
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


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
        content = read(f"{folder}/{name}", longest)
        value = None if content is None else json_text.parse(content)
    except (OSError, ValueError, MemoryError):
        return None
    return value if isinstance(value, dict) else None


def read(path: str, longest: int | None = None) -> bytes | None:
    """Read a file as long as it was when it was opened, without the objects of `open`; None if it is longer than `longest` bytes.

    Raises
    ------
    OSError
        As for `opened`.
    """
    descriptor = _open_regular(path)
    try:
        left = os.fstat(descriptor).st_size
        if longest is not None and left > longest:
            return None
        content = os.read(descriptor, left)
        while len(content) < left and (piece := os.read(descriptor, left - len(content))):
            content += piece
        return content
    finally:
        os.close(descriptor)


def opened(path: str) -> "io.BufferedReader":
    """Open a file for reading; never blocks, whatever has been put in its place.

    Raises
    ------
    FileNotFoundError
        If there is none, or it is not a regular file but a folder, a pipe or a device.
    OSError
        If it can't be read.
    """
    return open(_open_regular(path), "rb")


def _open_regular(path: str) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, "not a file", path)
    return descriptor


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
