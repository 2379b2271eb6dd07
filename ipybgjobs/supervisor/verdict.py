"""From an attempt folder and an exit status to how the attempt ended: reads, decides, changes nothing.

The worker's own word comes first; the exit status speaks only where the worker died without one.
"""

import signal
from collections.abc import Callable, Sequence
from typing import Any

from ..executors.exit import Exit
from ..model import redaction, sizes
from ..model.records import Outcome
from ..model.retry import Failure
from ..state import attempt, reports
from ..state.reports import Report
from ..store.transitions import Verdict
from ..system import private_file
from ..worker import descriptions

_LONGEST_TRACEBACK = 100_000
_LONGEST_ERROR = 500

#: Lines of the log that are kept of a process that vanished.
_LAST_LINES = 10

_KILL = 9

#: Why an outcome could not be written, by the exit code of its worker.
_NOT_WRITTEN = {
    attempt.OUTCOME_NOT_WRITTEN: "the disk is full, or the attempt's folder is gone",
    attempt.OUTCOME_FORBIDDEN: "its process may no longer write there, since it has become another user or has closed the folder",
    attempt.OUTCOME_LIMITED: "its process has set a limit on files or their size that forbids it (ulimit -n, ulimit -f)",
}

#: What is said of an attempt that was ended.
REASONS = {Outcome.CANCELLED: "cancelled", Outcome.TIMEOUT: "took longer than its timeout"}


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
        The reason, where it was being ended. A success wins over it whose method had returned before its end was asked for.
    find_secrets : callable
        Returns the values that no text may show; asked only where there is a text.
    ran_out_of_memory : callable
        Whether the kernel has killed any process for want of memory while the attempt ran; asked only where this one was killed.
    """
    report = reports.outcome(end.folder)
    code, number = end.exit_code, end.signal
    seen: dict[str, Any] = {"exit_code": code, "signal": number, "peak_memory": end.peak_memory, "cpu_seconds": end.cpu_seconds}
    seen["source"] = None if report is None else report.source
    if report is not None and report.succeeded and not (ending and report.interrupted):
        return Verdict(Outcome.SUCCEEDED, error=_lost_result(report) or _lost_output(report), **seen), Failure()
    secrets = () if report is None else find_secrets()
    if ending is not None:
        return Verdict(ending, error=REASONS[ending], traceback=_traceback(report, secrets), **seen), Failure()
    if report is not None:
        return Verdict(Outcome.ERROR, _error(report, secrets), _traceback(report, secrets), **seen), _failure(report)
    error = _lost(code, number) + _memory(end.peak_memory, out_of_memory=number == _KILL and ran_out_of_memory())
    return Verdict(Outcome.LOST, error, _last_lines(end.folder, find_secrets()), **seen), Failure()


def _memory(peak: int | None, *, out_of_memory: bool) -> str:
    used = "" if peak is None else f", at its peak it used {sizes.show(peak)}"
    return used + (", likely out of memory: the kernel has killed for want of it meanwhile" if out_of_memory else "")


def _last_lines(folder: str, secrets: Sequence[str]) -> str | None:
    """What a process that vanished printed last."""
    text = private_file.tail(f"{folder}/{attempt.OUTPUT}", _LAST_LINES, longest=_LONGEST_TRACEBACK)
    return None if not text.strip() else "Its last lines:\n" + redaction.without(text, secrets)


def _failure(report: Report) -> Failure:
    return Failure(names=report.names, fatal=report.fatal, asked=report.asked, after=report.after)


def _error(report: Report, secrets: Sequence[str]) -> str:
    kind = report.kind.rpartition(".")[2]
    return _shown(f"{kind}: {report.message}" if report.message else kind, secrets)


def _shown(text: str, secrets: Sequence[str]) -> str:
    return redaction.cut(redaction.one_line(redaction.without(text, secrets)), _LONGEST_ERROR)


def _traceback(report: Report | None, secrets: Sequence[str]) -> str | None:
    text = None if report is None else report.traceback
    return None if text is None else descriptions.cut(redaction.without(text, secrets), _LONGEST_TRACEBACK)


def _lost_result(report: Report) -> str | None:
    if "lost" not in report.result:
        return None
    return _shown(f"its return value, a {report.result.get('type')}, can't be kept: {report.result['lost']}", ())


def _lost_output(report: Report) -> str | None:
    """What of the output could not be written."""
    lost = report.lost_output
    if lost is None:
        return None
    parts = [f"{sizes.show(lost.bytes)} of its output"] if lost.bytes else []
    parts += [f"{lost.displays} displays"] if lost.displays else []
    return _shown(f"{' and '.join(parts)} could not be written: {lost.reason}", ())


def _lost(code: int | None, number: int | None) -> str:
    if number is not None:
        return f"the process was ended by signal {number} ({_signal_name(number)})"
    if code in _NOT_WRITTEN:
        return f"its outcome could not be written: {_NOT_WRITTEN[code]}"
    if code is not None:
        return f"the process ended with exit code {code} and without an outcome"
    return "the process vanished; nobody saw how it ended"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
