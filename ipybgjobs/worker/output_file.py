"""Keep ``outputs.jsonl`` within its limit: lines are appended, and replaced displays are removed before they outweigh the rest.

Beyond the limit, the first and the last displays stay, with a note of what was dropped. Forks of the worker append too, so each
line is written, and the file rewritten, under its lock. It never parses more than one line at a time.
"""

import contextlib
import errno
import json
import os
import time
from _thread import get_ident
from typing import Any, NamedTuple

from ..state import display_records
from ..state.display_records import KeptRecord, RecordHead
from ..system import private_file
from ..system.lock import FileLock

#: Bytes of replaced displays up to which the file is not rewritten.
_LITTLE = 1 << 20

#: Longest wait for the lock, and the interval between two tries, in seconds.
_PATIENCE, _PAUSE = 5.0, 0.0005

#: A fifth of the limit is reserved for displays that arrive before the file is checked again.
_ROOM = 5


class _Line(NamedTuple):
    """The position of a record in the file."""

    begin: int
    head: RecordHead


class OutputFile:
    """The file of one attempt.

    Parameters
    ----------
    path : str
        The file.
    limit : int or None
        Largest size in bytes; None: no limit.
    """

    def __init__(self, path: str, limit: int | None) -> None:
        self._path = path
        self._room = 0 if limit is None else limit // _ROOM
        self._limit = None if limit is None else limit - self._room
        self._sizes: dict[str, int] = {}  # of displays that have an id, by id
        self._of_cell = 0  # bytes since the last begin or clear
        self._stale = 0  # bytes of replaced displays, as far as this process knows
        self._patience = _PATIENCE
        self._due = self._limit  # the size at which the file is checked

    @property
    def longest(self) -> int | None:
        """Return the longest line that is kept, in bytes; None: any length."""
        return None if self._limit is None else self._limit // 2

    def append(self, line: bytes, kind: str, display_id: str | None = None) -> None:
        """Append a line, and remove replaced displays if they make up most of the file.

        Raises
        ------
        OSError
            If it can't be written; the file is unchanged.
        """
        descriptor, alone = self._opened()
        try:
            size = _append(descriptor, line)
            self._note(len(line), kind, display_id)
            if alone and (self._stale > max(_LITTLE, size // 2) or (self._due is not None and size > self._due)):
                self._due = None if self._limit is None else size + self._room
                with contextlib.suppress(OSError, MemoryError):  # a full disk: the file stays as it is, and is checked later
                    self._shorten(descriptor)
        finally:
            os.close(descriptor)

    def _opened(self) -> tuple[int, bool]:
        """Open the file and try to lock it; the wait is limited, since a stopped fork or interrupted thread may hold the lock."""
        limit = time.monotonic() + self._patience
        while (lock := FileLock.acquire(self._path, wait=False)) is None:
            if time.monotonic() >= limit:
                self._patience = 0.0
                return private_file.open_private(self._path, os.O_RDWR | os.O_APPEND), False
            time.sleep(_PAUSE)
        return lock.descriptor, True

    def _note(self, size: int, kind: str, display_id: str | None) -> None:
        """Keep count of displays that are no longer shown."""
        if display_id:
            self._stale += self._sizes.get(display_id, 0)
            self._sizes[display_id] = size
        if kind == "clear":
            self._stale += self._of_cell
        self._of_cell = 0 if kind in ("clear", "begin") else self._of_cell + size

    def _shorten(self, descriptor: int) -> None:
        """Rewrite the file with the records to keep."""
        self._stale, self._sizes = 0, {}
        with open(descriptor, "rb", closefd=False) as file:
            file.seek(0)
            lines = _lines(file)
            chosen = display_records.kept([line.head for line in lines], self._limit)
            size = self._replace(file, lines, chosen)
        if self._limit is not None:
            self._due = max(self._limit, size + max(self._room, size // 2 if size > self._limit else 0))

    def _replace(self, file: Any, lines: list[_Line], chosen: list[KeptRecord]) -> int:
        """Replace the file by one with the chosen records; return its size."""
        partial = f"{self._path}.{os.getpid()}.{get_ident()}.part"
        try:
            with open(private_file.open_private(partial, os.O_WRONLY | os.O_TRUNC), "wb") as new:
                new.writelines(_written(file, lines, one) for one in chosen)
                size = new.tell()
            os.replace(partial, self._path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(partial)
            raise
        return size


def _append(descriptor: int, line: bytes) -> int:
    """Append a line, or nothing: a partial line would corrupt the next. Return the size of the file."""
    size = os.lseek(descriptor, 0, os.SEEK_END)
    if os.write(descriptor, line) < len(line):
        os.ftruncate(descriptor, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return size + len(line)


def _lines(file: Any) -> list[_Line]:
    """Return the positions of a file's records, with the data that decides which to keep."""
    found, begin = [], 0
    for line in file:
        record = display_records.parsed(line)
        if record is not None:
            found.append(_Line(begin, display_records.head(record, len(line))))
        begin += len(line)
    return found


def _written(file: Any, lines: list[_Line], one: KeptRecord) -> bytes:
    """Return the line of a record to keep."""
    if one.place < 0:
        return _line({"kind": "dropped", "offset": one.offset, "displays": one.displays, "bytes": one.bytes})
    head = lines[one.place].head
    if one.empty:
        return _line(_display(head, {}, {}))
    if one.look is None:
        return _read(file, lines[one.place])
    look = json.loads(_read(file, lines[one.look]))
    return _line(_display(head, look["data"], look["metadata"]))


def _display(head: RecordHead, data: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "display", "offset": head.offset, "data": data, "metadata": metadata, "display_id": head.display_id}


def _line(record: dict[str, Any]) -> bytes:
    return (json.dumps(record) + "\n").encode()


def _read(file: Any, line: _Line) -> bytes:
    file.seek(line.begin)
    content: bytes = file.read(line.head.size)
    return content if content.endswith(b"\n") else content + b"\n"
