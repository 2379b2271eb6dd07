"""The output file of a running notebook: written as a whole each time, so that it is always a valid notebook.

It is written when a cell ends, and at most every few seconds while a cell keeps printing. It never contains secret parameters.
"""

import contextlib
import os
import time
from collections.abc import Callable
from typing import Any

from ..errors import JobFailed
from ..system import private_file
from . import document, serialization

#: Seconds between two writes while a cell runs.
_INTERVAL = 2.0

#: Share of the time that writing may take, for notebooks with large outputs.
_SHARE = 0.1


class OutputNotebook:
    """The growing output.

    Parameters
    ----------
    notebook : NotebookNode
        The notebook that runs.
    path : str
        The output file; folders above it are created.
    shown : dict of int to str
        Sources of cells, by index, that are written instead of those that run.
    evade : callable
        Reports that the output file was replaced, and returns the path to continue with.
    clock : callable
        The monotonic clock.
    """

    def __init__(
        self,
        notebook: Any,
        path: str,
        shown: dict[int, str],
        evade: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._notebook = notebook
        self._shown = shown
        self._evade = evade
        self._clock = clock
        self._due = 0.0
        self._left: tuple[int, ...] = ()  # the file's state when it was last written
        self.path = path

    def write(self) -> None:
        """Write its current state.

        Raises
        ------
        JobFailed
            If it can't be written.
        """
        began = self._clock()
        try:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            self._write()
        except OSError as error:
            raise JobFailed(f"the output {self.path} can't be written: {error.strerror}") from error
        now = self._clock()
        self._due = now + max(_INTERVAL, (now - began) / _SHARE)

    def is_due(self) -> bool:
        """Return whether the last write is long enough ago."""
        return self._clock() >= self._due

    def write_if_due(self) -> None:
        """Write it if the last write is long enough ago; if that fails, a later write may succeed."""
        if self.is_due():
            self._due = self._clock() + _INTERVAL
            self.write_if_possible()

    def write_if_possible(self) -> None:
        """Write it; a full disk does not end the job before its last cell."""
        with contextlib.suppress(JobFailed):
            self.write()

    def _write(self) -> None:
        sources = {index: self._notebook.cells[index].source for index in self._shown}
        try:
            self._put(self._shown)
            if self._was_replaced():
                self.path = self._evade()
            private_file.write_whole(
                self.path, serialization.pieces(self._notebook), mode=0o666
            )  # deviations from the format are reported at submit
            self._left = self._file_status()
        finally:
            self._put(sources)

    def _was_replaced(self) -> bool:
        """Return whether another job or a user has put a file there since this one was written."""
        there = self._file_status()
        if not self._left or not there or there == self._left:
            return False
        return document.author(self.path) != str(self._notebook.metadata[document.METADATA]["job"] or "")

    def _file_status(self) -> tuple[int, ...]:
        try:
            found = os.stat(self.path)
        except OSError:
            return ()
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    def _put(self, sources: dict[int, str]) -> None:
        for index, source in sources.items():
            self._notebook.cells[index].source = source
