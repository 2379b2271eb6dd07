"""From an attempt folder and an exit status to how the attempt ended: reads, decides, changes nothing.

The worker's own word comes first; the exit status speaks only where the worker died without one.
"""

import os
import signal
from collections.abc import Callable, Sequence
from typing import Any

from .. import attempt, redaction, sizes
from ..executors.local import Exit
from ..models import Outcome
from ..retry import Failure
from ..store.transitions import Verdict

_LONGEST_TRACEBACK = 100_000
_LONGEST_ERROR = 500

#: Lines of the log that are kept of a process that vanished.
_LAST_LINES = 10

_KILL = 9

_REASONS = {Outcome.CANCELLED: "cancelled", Outcome.TIMEOUT: "took longer than its timeout"}


def judge(
    end: Exit,
    ending: Outcome | None,
    find_secrets: Callable[[], Sequence[str]] = tuple,
    ran_out_of_memory: Callable[[], bool] = lambda: False,
) -> tuple[Verdict, Failure]:
    """Say how an attempt ended, and what the retry rules are to know.

    Parameters
    ----------
    end : Exit
        What was seen of the process.
    ending : Outcome or None
        The reason, where it was being ended; a complete success wins over it.
    find_secrets : callable
        Returns the values that no text may show; asked only where there is a text.
    ran_out_of_memory : callable
        Whether the kernel has killed any process for want of memory while the attempt ran; asked only where this one was killed.
    """
    record = attempt.read_json(end.folder, attempt.OUTCOME)
    code, number = _status(end.status)
    seen: dict[str, Any] = {"exit_code": code, "signal": number, "peak_memory": end.peak_memory, "cpu_seconds": end.cpu_seconds}
    if record is not None and record.get("status") == "succeeded":
        return Verdict(
            Outcome.SUCCEEDED, error=_lost_result(record) or _lost_output(record), source=record.get("source"), **seen
        ), Failure()
    secrets = () if record is None else find_secrets()
    seen["source"] = None if record is None else record.get("source")
    if ending is not None:
        return Verdict(ending, error=_REASONS[ending], traceback=_traceback(record, secrets), **seen), Failure()
    if record is not None:
        return Verdict(Outcome.ERROR, _error(record, secrets), _traceback(record, secrets), **seen), _failure(record)
    error = _lost(code, number) + _memory(end.peak_memory, out_of_memory=number == _KILL and ran_out_of_memory())
    return Verdict(Outcome.LOST, error, _last_lines(end.folder, find_secrets()), **seen), Failure()


def _memory(peak: int | None, *, out_of_memory: bool) -> str:
    used = "" if peak is None else f", at its peak it used {sizes.show(peak)}"
    return used + (", likely out of memory: the kernel has killed for want of it meanwhile" if out_of_memory else "")


def _last_lines(folder: str, secrets: Sequence[str]) -> str | None:
    """What a process that vanished printed last."""
    text = attempt.tail(f"{folder}/{attempt.OUTPUT}", _LAST_LINES, longest=_LONGEST_TRACEBACK)
    return None if not text.strip() else "Its last lines:\n" + redaction.without(text, secrets)


def _status(status: int | None) -> tuple[int | None, int | None]:
    if status is None:
        return None, None
    return (None, os.WTERMSIG(status)) if os.WIFSIGNALED(status) else (os.WEXITSTATUS(status), None)


def _failure(record: dict[str, Any]) -> Failure:
    return Failure(
        names=tuple(record.get("names", ())),
        fatal=record.get("fatal", False),
        asked=record.get("asked", False),
        after=record.get("after"),
    )


def _error(record: dict[str, Any], secrets: Sequence[str]) -> str:
    kind = record.get("type", "error").rpartition(".")[2]
    message = record.get("message", "")
    return _shown(f"{kind}: {message}" if message else kind, secrets)


def _shown(text: str, secrets: Sequence[str]) -> str:
    return redaction.cut(redaction.one_line(redaction.without(text, secrets)), _LONGEST_ERROR)


def _traceback(record: dict[str, Any] | None, secrets: Sequence[str]) -> str | None:
    text = (record or {}).get("traceback")
    return None if text is None else redaction.cut(redaction.without(text, secrets), _LONGEST_TRACEBACK)


def _lost_result(record: dict[str, Any]) -> str | None:
    result = record.get("result", {})
    if "lost" not in result:
        return None
    return _shown(f"its return value, a {result.get('type')}, can't be kept: {result['lost']}", ())


def _lost_output(record: dict[str, Any]) -> str | None:
    """What of the output could not be written."""
    lost = record.get("lost")
    if not lost:
        return None
    parts = [f"{sizes.show(lost['bytes'])} of its output"] if lost["bytes"] else []
    parts += [f"{lost['displays']} displays"] if lost["displays"] else []
    return _shown(f"{' and '.join(parts)} could not be written: {lost['reason']}", ())


def _lost(code: int | None, number: int | None) -> str:
    if number is not None:
        return f"the process was ended by signal {number} ({_signal_name(number)})"
    if code == attempt.OUTCOME_NOT_WRITTEN:
        return "its outcome could not be written: the disk is full, or the attempt's folder is gone"
    if code is not None:
        return f"the process ended with exit code {code} and without an outcome"
    return "the process vanished; nobody saw how it ended"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
