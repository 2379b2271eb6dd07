"""Parse the files of an attempt folder into frozen values: anyone may have written them, above all the job itself.

Each reader is total: what is absent, incomplete or of another type reads as None, or as the value for "not known". It never
judges or raises. Workers load it to call a hook, so it imports next to nothing.
"""

import math
from typing import Any, NamedTuple

from ..system import private_file
from . import attempt

#: Largest number that the store can hold.
_LARGEST = (1 << 63) - 1

#: Largest PID and exit status that a system call takes.
_LARGEST_INT = (1 << 31) - 1

#: PID, start time in clock ticks, boot: the fields of a `ProcessIdentity`.
Process = tuple[int, int, str]


class StartMarker(NamedTuple):
    """The content of ``started.json``."""

    void: bool = False  #: the attempt must not run
    process: Process | None = None
    launcher: Process | None = None
    host: str = ""
    pid_namespace: str | None = None
    machine: str | None = None  #: see `system.place`
    device: int | None = None
    held: bool = True  #: whether its process could lock it; True if not stated
    monotonic: float | None = None  #: when it began, on the monotonic clock of its boot


class ExitReport(NamedTuple):
    """The content of ``exit.json``, about an attempt's process."""

    status: int | None = None  #: as from `os.wait`
    peak_memory: int | None = None  #: bytes
    cpu_seconds: float | None = None
    orphans: tuple[Process, ...] = ()  #: processes that its end made orphans
    begun: bool = False  #: whether it is known to have begun, whatever its start marker says


class DroppedRange(NamedTuple):
    """The content of ``dropped.json``: the offsets of the dropped part of a log."""

    begin: int
    end: int


class LostOutput(NamedTuple):
    """The amount of output that could not be written."""

    bytes: int
    displays: int
    reason: str


class OutcomeReport(NamedTuple):
    """The content of ``outcome.json``: the worker's own report on how its attempt ended."""

    succeeded: bool = False
    interrupted: bool = False  #: its end had been requested before its method returned
    result: dict[str, Any] = {}  # noqa: RUF012 - never changed
    source: list[Any] | None = None  #: path, date in nanoseconds, size and hash of the source that was loaded
    lost_output: LostOutput | None = None
    kind: str = "error"  #: the type of the exception that it raised
    message: str = ""
    traceback: str | None = None
    names: tuple[str, ...] = ()  #: of the type and its bases, for the retry policy
    fatal: bool = False
    retry_requested: bool = False
    after: float | None = None  #: seconds
    pickled: bool = False  #: whether the exception was saved


def start_marker(folder: str) -> StartMarker | None:
    """Read the start marker; None if it is missing or can't be read."""
    value = private_file.read_json(folder, attempt.STARTED)
    if value is None:
        return None
    return StartMarker(
        void=value.get("void") is True,
        process=_process(value.get("process")),
        launcher=_process(value.get("launcher")),
        host=_text(value.get("host")) or "",
        pid_namespace=_text(value.get("pid_namespace")),
        machine=_text(value.get("machine")),
        device=_whole(value.get("device")),
        held=value.get("held") is not False,
        monotonic=_number(value.get("monotonic")),
    )


def exit_report(folder: str) -> ExitReport | None:
    """Read how the attempt's process ended; None if no fork server wrote it."""
    value = private_file.read_json(folder, attempt.EXIT)
    if value is None:
        return None
    status, peak, cpu = _whole(value.get("status"), _LARGEST_INT), _whole(value.get("peak")), _number(value.get("cpu"))
    return ExitReport(status, peak, cpu, _processes(value.get("left")), value.get("begun") is True)


def dropped(folder: str) -> DroppedRange | None:
    """Read which part of the log was dropped; None if it is whole."""
    value = private_file.read_json(folder, attempt.DROPPED) or {}
    begin, end = _whole(value.get("from")), _whole(value.get("to"))
    return None if begin is None or end is None or end < begin else DroppedRange(begin, end)


def outcome(folder: str) -> OutcomeReport | None:
    """Read the worker's report on its end; None if there is none."""
    value = private_file.read_json(folder, attempt.OUTCOME)
    if value is None or value.get("status") not in ("succeeded", "error"):
        return None
    result = value.get("result")
    names = value.get("names")
    return OutcomeReport(
        succeeded=value["status"] == "succeeded",
        interrupted=value.get("interrupted") is True,
        result=result if isinstance(result, dict) else {},
        source=_source(value.get("source")),
        lost_output=_lost_output(value.get("lost")),
        kind=_text(value.get("type")) or "error",
        message=_text(value.get("message")) or "",
        traceback=_text(value.get("traceback")),
        names=tuple(name for name in names if isinstance(name, str)) if isinstance(names, list) else (),
        fatal=value.get("fatal") is True,
        retry_requested=value.get("asked") is True,
        after=_number(value.get("after")),
        pickled=value.get("pickled") is True,
    )


def _process(value: Any) -> Process | None:
    """Return a process by PID, start time and boot; None if it can't be one."""
    if not isinstance(value, dict):
        return None
    pid, start, boot = _whole(value.get("pid"), _LARGEST_INT), _whole(value.get("start_time")), _text(value.get("boot"))
    return None if not pid or start is None or boot is None else (pid, start, boot)


def _processes(value: Any) -> tuple[Process, ...]:
    """Return the items of a list that can be processes."""
    found = map(_process, value if isinstance(value, list) else ())
    return tuple(process for process in found if process is not None)


def _source(value: Any) -> list[Any] | None:
    """Return path, date, size and hash of a file."""
    if not isinstance(value, list) or len(value) != len(("path", "date", "size", "hash")):
        return None
    path, date, size, digest = value
    texts = isinstance(path, str) and "\0" not in path and isinstance(digest, str)
    return value if texts and _whole(date) is not None and _whole(size) is not None else None


def _lost_output(value: Any) -> LostOutput | None:
    if not isinstance(value, dict):
        return None
    return LostOutput(_whole(value.get("bytes")) or 0, _whole(value.get("displays")) or 0, _text(value.get("reason")) or "")


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: Any, largest: int = _LARGEST) -> int | None:
    """Return an integer of at least 0."""
    return value if type(value) is int and 0 <= value <= largest else None


def _number(value: Any) -> float | None:
    """Return a finite number of at least 0."""
    if type(value) not in (int, float) or not 0 <= value <= _LARGEST or not math.isfinite(value):
        return None
    return float(value)
