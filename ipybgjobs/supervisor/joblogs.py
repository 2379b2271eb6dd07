"""background_jobs.log and background_jobs_errors.log: rotated, one line a record, written by the supervisor alone.

Whatever stands in a record, it can't start another line. What can't be written is told in `problem`, and harms nothing. Files in
the state folder go with it where it is moved, and never into another that takes its place.
"""

import datetime as dt
import logging
import logging.handlers
import os
from dataclasses import dataclass
from typing import Any

from .. import redaction
from ..folder import StateFolder
from ..process.held import HeldFolder
from ..settings import LogSettings


class _OneLine(logging.Formatter):
    """The format of the settings, on one line; times as ISO 8601 with the offset, so that they can be compared between zones."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 - logging's names
        return dt.datetime.fromtimestamp(record.created, dt.UTC).astimezone().isoformat(timespec="milliseconds")

    def format(self, record: logging.LogRecord) -> str:
        return redaction.one_line(super().format(record))


class _Rotating(logging.handlers.RotatingFileHandler):
    """A rotated file of the user's own that reports what it can't write."""

    problem: str | None = None
    shown = ""  #: its path, as people know it

    def _open(self) -> Any:
        os.makedirs(os.path.dirname(self.baseFilename), mode=0o700, exist_ok=True)
        return open(self.baseFilename, "a", encoding="utf-8", opener=_private)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - logging's name
        import sys

        self.problem = f"{self.shown} can't be written: {_reason(sys.exc_info()[1])}"


def _reason(error: BaseException | None) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK, 0o600)  # a pipe in its place is not waited for


@dataclass(frozen=True, slots=True)
class Message:
    """A record to be written: a failure goes into both files, with its traceback."""

    text: str
    traceback: str | None = None
    failure: bool = False


class JobLogs:
    """The two files.

    Parameters
    ----------
    settings : LogSettings
        Where and how.
    folder : StateFolder
        The state folder, where the settings name no other.
    held : HeldFolder
        The same.
    """

    def __init__(self, settings: LogSettings, folder: StateFolder, held: HeldFolder) -> None:
        self.settings = settings
        self._held = held
        everything, errors = settings.files(folder.logs)
        self._logger = logging.Logger("ipybgjobs", logging.DEBUG)  # noqa: LOG001 - outside the tree: nobody else configures it
        self._handlers = [
            self._handler(everything, logging.getLevelName(settings.level)),
            self._handler(errors, logging.ERROR),
        ]

    def _handler(self, path: str, level: int) -> _Rotating:
        handler = _Rotating(
            self._held.reach(path),
            maxBytes=self.settings.max_bytes,
            backupCount=self.settings.backup_count,
            delay=True,
            encoding="utf-8",
        )
        handler.shown = path
        handler.setLevel(level)
        handler.setFormatter(_OneLine(self.settings.format))
        self._logger.addHandler(handler)
        return handler

    @property
    def problem(self) -> str | None:
        """Why a file can't be written; None if it can."""
        return next((handler.problem for handler in self._handlers if handler.problem), None)

    def write(self, message: Message) -> None:
        """Write one record."""
        for handler in self._handlers:
            handler.problem = None  # this record tells anew
        text = message.text if message.traceback is None else f"{message.text} | {message.traceback.rstrip()}"
        self._logger.log(logging.ERROR if message.failure else logging.INFO, "%s", text)

    def close(self) -> None:
        """Close the files."""
        for handler in self._handlers:
            handler.close()
