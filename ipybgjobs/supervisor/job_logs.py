"""background_jobs.log and background_jobs_errors.log: rotated, one line per record, written only by the supervisor.

No record can start another line, whatever it contains. A failure to write is reported in `problem` and has no other effect.
Files in the state folder move with it, and never go to another folder that replaces it. No record is written before the log
settings are known: by default the files are rotated, and a user who keeps everything would lose the oldest.
"""

import datetime as dt
import logging
import logging.handlers
import os
from collections import deque
from typing import Any

from msgspec import Struct

from ..configuration.settings import KEEP_ALL, LogSettings
from ..model import redaction
from ..state.folder import StateFolder
from ..system import private_file
from ..system.open_folder import HeldFolder

#: Largest number of records that wait for settings; beyond it, the oldest are dropped.
_MOST_WAITING = 10_000


class _OneLine(logging.Formatter):
    """The format of the settings, on one line; times as ISO 8601 with offset, so that they can be compared across time zones."""

    _name = "one_line"  #: the attribute of a record that keeps its text; all formatters have the same format

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 - logging's names
        return dt.datetime.fromtimestamp(record.created, dt.UTC).astimezone().isoformat(timespec="milliseconds")

    def format(self, record: logging.LogRecord) -> str:
        """Format a record once: a rotated file asks for its length first."""
        known: str | None = getattr(record, self._name, None)
        if known is None:
            known = redaction.one_line(super().format(record))
            setattr(record, self._name, known)
        return known


class _Rotating(logging.handlers.RotatingFileHandler):
    """A rotated file, private to the user, that reports failures to write."""

    problem: str | None = None
    shown = ""  #: its path, as users know it

    def _open(self) -> Any:
        os.makedirs(os.path.dirname(self.baseFilename), mode=0o700, exist_ok=True)
        return open(self.baseFilename, "a", encoding="utf-8", opener=private_file.open_without_waiting)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - logging's name
        import sys

        self.problem = f"{self.shown} can't be written: {_reason(sys.exc_info()[1])}"


def _reason(error: BaseException | None) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


class Message(Struct, frozen=True):
    """A record to write: a failure goes to both files, with its traceback."""

    text: str
    traceback: str | None = None
    failure: bool = False


class LogWriter:
    """The two log files.

    Parameters
    ----------
    folder : StateFolder
        The state folder, used if the settings name no other.
    held : HeldFolder
        The same folder, held open.
    """

    def __init__(self, folder: StateFolder, held: HeldFolder) -> None:
        self._folder = folder
        self._held = held
        self._settings: LogSettings | None = None
        self._waiting: deque[logging.LogRecord] = deque(maxlen=_MOST_WAITING)
        self._logger = logging.Logger("ipybgjobs", logging.DEBUG)  # noqa: LOG001 - outside the tree, so that no other code configures it
        self._handlers: list[_Rotating] = []

    def follow(self, settings: LogSettings) -> None:
        """Follow new settings from now on, and first write the records that waited for them."""
        if settings != self._settings:
            self._close_files()
            self._open_files(settings)
            self._settings = settings
        while self._waiting:
            self._handle(self._waiting.popleft())

    def _open_files(self, settings: LogSettings) -> None:
        everything, errors = settings.files(self._folder.logs)
        self._add(everything, settings, logging.getLevelName(settings.level))
        self._add(errors, settings, logging.ERROR)

    def _add(self, path: str, settings: LogSettings, level: int) -> None:
        handler = _Rotating(
            self._held.reach(path),
            maxBytes=settings.max_bytes,
            backupCount=settings.backup_count,
            delay=True,
            encoding="utf-8",
        )
        handler.shown = path
        handler.setLevel(level)
        handler.setFormatter(_OneLine(settings.format))
        self._logger.addHandler(handler)
        self._handlers.append(handler)

    @property
    def problem(self) -> str | None:
        """Explain why a file can't be written; None if all can."""
        return next((handler.problem for handler in self._handlers if handler.problem), None)

    def write(self, message: Message) -> None:
        """Write one record; it waits while the settings are unknown."""
        text = message.text if message.traceback is None else f"{message.text} | {message.traceback.rstrip()}"
        level = logging.ERROR if message.failure else logging.INFO
        record = self._logger.makeRecord(self._logger.name, level, __file__, 0, text, (), None)
        if self._settings is None:
            self._waiting.append(record)
        else:
            self._handle(record)

    def _handle(self, record: logging.LogRecord) -> None:
        for handler in self._handlers:
            handler.problem = None  # this record will show whether it persists
        self._logger.handle(record)

    def close(self) -> None:
        """Close the files; records that still wait for settings go to the default place, without rotation."""
        if self._waiting:
            self.follow(KEEP_ALL)
        self._close_files()

    def _close_files(self) -> None:
        for handler in self._handlers:
            self._logger.removeHandler(handler)
            handler.close()
        self._handlers.clear()
