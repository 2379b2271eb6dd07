"""Determine how an attempt ended, from its folder and exit status: reads, decides, changes nothing.

The worker's own report comes first; the exit status is used only if the worker died without a report.
"""

import signal
from collections.abc import Callable, Sequence
from typing import Any

from ..executors.exit import Exit
from ..model import redaction, sizes
from ..model.records import Outcome
from ..model.retry import Failure
from ..state import attempt, reports
from ..state.reports import OutcomeReport
from ..store.transitions import Verdict
from ..system import private_file
from ..worker import descriptions

_LONGEST_TRACEBACK = 100_000
_LONGEST_ERROR = 500

#: Number of log lines that are kept of a process that disappeared.
_LAST_LINES = 10

_KILL = 9

#: Why an outcome could not be written, by the exit code of its worker.
_NOT_WRITTEN = {
    attempt.OUTCOME_NOT_WRITTEN: "the disk is full, or the attempt's folder no longer exists",
    attempt.OUTCOME_FORBIDDEN: "its process may no longer write there: it changed its user or closed the folder",
    attempt.OUTCOME_LIMITED: "its process set a limit on open files or file size that prevents it (ulimit -n, ulimit -f)",
}

#: Messages for attempts that were ended.
REASONS = {Outcome.CANCELLED: "cancelled", Outcome.TIMEOUT: "took longer than its timeout"}


def judge(
    end: Exit,
    ending: Outcome | None,
    find_secrets: Callable[[], Sequence[str]] = tuple,
    ran_out_of_memory: Callable[[], bool] = lambda: False,
    *,
    is_cell: bool = False,
) -> tuple[Verdict, Failure]:
    """Return how an attempt ended, and the data that the retry policy needs.

    Parameters
    ----------
    end : Exit
        What is known about the process.
    ending : Outcome or None
        The reason, if it was being ended. A success wins over it if the method had returned before the end was requested.
    find_secrets : callable
        Returns the values that no text may show; called only if there is a text.
    ran_out_of_memory : callable
        Returns whether the OOM killer killed any process while the attempt ran; called only if this one was killed.
    is_cell : bool
        Whether the job is a cell, so that what it raises is the cell's.
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
        return Verdict(Outcome.ERROR, _error(report, secrets), _traceback(report, secrets), **seen), _failure(
            report, of_cell=is_cell
        )
    out_of_memory = number == _KILL and ran_out_of_memory()
    error = _lost(code, number) + _memory(end.peak_memory, out_of_memory=out_of_memory)
    failure = Failure(lost=True, out_of_memory=out_of_memory)
    return Verdict(Outcome.LOST, error, _last_lines(end.folder, find_secrets()), **seen), failure


def _memory(peak: int | None, *, out_of_memory: bool) -> str:
    used = "" if peak is None else f", peak memory {sizes.show(peak)}"
    return used + (", likely out of memory: the kernel's OOM killer was active while it ran" if out_of_memory else "")


def _last_lines(folder: str, secrets: Sequence[str]) -> str | None:
    """Return the last lines that a process that disappeared printed."""
    text = private_file.tail(f"{folder}/{attempt.OUTPUT}", _LAST_LINES, longest=_LONGEST_TRACEBACK)
    return None if not text.strip() else "Its last lines:\n" + redaction.without(text, secrets)


def _failure(report: OutcomeReport, *, of_cell: bool) -> Failure:
    return Failure(
        names=report.names,
        of_cell=of_cell,
        fatal=report.fatal,
        retry_requested=report.retry_requested,
        after=report.after,
    )


def _error(report: OutcomeReport, secrets: Sequence[str]) -> str:
    kind = report.kind.rpartition(".")[2]
    return _shown(f"{kind}: {report.message}" if report.message else kind, secrets)


def _shown(text: str, secrets: Sequence[str]) -> str:
    return redaction.cut(redaction.one_line(redaction.without(text, secrets)), _LONGEST_ERROR)


def _traceback(report: OutcomeReport | None, secrets: Sequence[str]) -> str | None:
    text = None if report is None else report.traceback
    return None if text is None else descriptions.cut(redaction.without(text, secrets), _LONGEST_TRACEBACK)


def _lost_result(report: OutcomeReport) -> str | None:
    if "lost" not in report.result:
        return None
    return _shown(f"its return value ({report.result.get('type')}) could not be saved: {report.result['lost']}", ())


def _lost_output(report: OutcomeReport) -> str | None:
    """Describe the output that could not be written."""
    lost = report.lost_output
    if lost is None:
        return None
    parts = [f"{sizes.show(lost.bytes)} of its output"] if lost.bytes else []
    parts += [f"{lost.displays} displays"] if lost.displays else []
    return _shown(f"{' and '.join(parts)} could not be written: {lost.reason}", ())


def _lost(code: int | None, number: int | None) -> str:
    if number is not None:
        return f"the process was killed by signal {number} ({_signal_name(number)})"
    if code in _NOT_WRITTEN:
        return f"its outcome could not be written: {_NOT_WRITTEN[code]}"
    if code is not None:
        return f"the process exited with code {code} without reporting an outcome"
    return "the process disappeared; how it ended is unknown"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
