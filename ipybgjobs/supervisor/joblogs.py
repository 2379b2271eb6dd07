"""background_jobs.log and background_jobs_errors.log: rotated, one line a record, written by the supervisor alone.

Whatever stands in a record, it can't start another line. What can't be written is told in `problem`, and harms nothing.
"""

import logging
import logging.handlers
import os
from typing import Any

from .. import redaction
from ..settings import LogSettings

ALL = "background_jobs.log"
ERRORS = "background_jobs_errors.log"


class _OneLine(logging.Formatter):
    """The format of the settings, on one line."""

    def format(self, record: logging.LogRecord) -> str:
        return redaction.one_line(super().format(record))


class _Rotating(logging.handlers.RotatingFileHandler):
    """A rotated file of the user's own that reports what it can't write."""

    problem: str | None = None

    def _open(self) -> Any:
        os.makedirs(os.path.dirname(self.baseFilename), mode=0o700, exist_ok=True)
        return open(self.baseFilename, "a", encoding="utf-8", opener=_private)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - logging's name
        import sys

        self.problem = f"{self.baseFilename} can't be written: {sys.exc_info()[1]}"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class JobLogs:
    """The two files.

    Parameters
    ----------
    settings : LogSettings
        Where and how.
    default_directory : str
        Folder where the settings name none.
    """

    def __init__(self, settings: LogSettings, default_directory: str) -> None:
        self.settings = settings
        directory = os.path.expanduser(settings.directory or default_directory)
        self._logger = logging.Logger("ipybgjobs", logging.DEBUG)  # noqa: LOG001 - outside the tree: nobody else configures it
        self._handlers = [
            self._handler(f"{directory}/{ALL}", logging.getLevelName(settings.level)),
            self._handler(f"{directory}/{ERRORS}", logging.ERROR),
        ]

    def _handler(self, path: str, level: int) -> _Rotating:
        handler = _Rotating(
            path, maxBytes=self.settings.max_bytes, backupCount=self.settings.backup_count, delay=True, encoding="utf-8"
        )
        handler.setLevel(level)
        handler.setFormatter(_OneLine(self.settings.format))
        self._logger.addHandler(handler)
        return handler

    @property
    def problem(self) -> str | None:
        """Why a file can't be written; None if it can."""
        return next((handler.problem for handler in self._handlers if handler.problem), None)

    def info(self, message: str) -> None:
        """Record what happened."""
        self._log(logging.INFO, message)

    def failure(self, message: str, traceback: str | None) -> None:
        """Record a failed attempt in both files, in the second with its traceback."""
        self._log(logging.ERROR, message if traceback is None else f"{message} | {traceback.rstrip()}")

    def _log(self, level: int, message: str) -> None:
        for handler in self._handlers:
            handler.problem = None  # this record tells anew
        self._logger.log(level, "%s", message)

    def close(self) -> None:
        """Close the files."""
        for handler in self._handlers:
            handler.close()
