"""The text log of an attempt, for reading: if it was too long, a note marks where its middle was dropped."""

import os
from collections.abc import Iterator

from ..model import sizes
from ..system import private_file
from . import attempt, reports


class TextLog:
    """One attempt's log, read by offsets.

    Parameters
    ----------
    folder : str
        The attempt folder.
    """

    def __init__(self, folder: str) -> None:
        self._path = f"{folder}/{attempt.OUTPUT}"
        self._folder = folder
        self._hole = self._read_gap()

    def _read_gap(self) -> reports.DroppedRange | None:
        """Return what was dropped; it is recorded before it is dropped."""
        return reports.dropped(self._folder)

    @property
    def size(self) -> int:
        """Length in bytes, including what was dropped."""
        try:
            return os.stat(self._path).st_size
        except OSError:
            return 0

    def read(self, begin: int, end: int) -> bytes:
        """Read from one offset to another, with a note where something was dropped."""
        while True:
            found = b"".join(self._parts(begin, end))
            hole = self._read_gap()
            if hole == self._hole:
                return found
            self._hole = hole  # more was dropped meanwhile: some of what was read may be zeros

    def _parts(self, begin: int, end: int) -> Iterator[bytes]:
        if self._hole is None or end <= self._hole[0] or begin >= self._hole[1]:
            yield self._raw(begin, end)
            return
        first, last = self._hole
        if begin < first:
            yield self._raw(begin, first)
        if begin <= first:
            yield self._note()
        if end > last:
            yield self._raw(last, end)

    def _note(self) -> bytes:
        first, last = self._hole or (0, 0)
        return f"\n… {sizes.show(last - first)} of output was dropped here (BackgroundJobs.max_output_bytes) …\n".encode()

    def _raw(self, begin: int, end: int) -> bytes:
        try:
            with private_file.opened(self._path) as file:
                file.seek(begin)
                return file.read(max(0, end - begin))
        except OSError:
            return b""

    def piece(self, begin: int, longest: int) -> tuple[bytes, int]:
        """Read from an offset, up to a number of bytes of the file; return the text and the next offset."""
        end = min(self.size, begin + longest)
        if self._hole is not None and begin <= self._hole[0] < end:
            end = self._hole[1]
        elif self._hole is not None and self._hole[0] < begin < self._hole[1]:
            begin = end = self._hole[1]
        return self.read(begin, end), max(begin, end)

    def text(self) -> str:
        """Return all of it."""
        return self.read(0, self.size).decode("utf-8", "backslashreplace")

    def tail(self, lines: int) -> str:
        """Return the last lines; only they are read."""
        floor = 0 if self._hole is None else self._hole[1]
        found = private_file.tail(self._path, lines, floor=floor)
        whole = found.count("\n") + (not found.endswith("\n")) >= lines or not floor
        return found if whole else self._note().decode() + found
