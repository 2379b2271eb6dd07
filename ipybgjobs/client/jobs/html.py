"""Jobs as static HTML, which follows the notebook's theme and shows job data as text, never as markup."""

import time
from collections.abc import Mapping, Sequence
from html import escape

from ...model import durations, moments, sizes
from ...model.records import GroupRecord, JobRecord, JobState
from .job_status import JobStatus

_COLOURS = {
    JobState.QUEUED: "var(--jp-ui-font-color2, #666)",
    JobState.RETRYING: "var(--jp-warn-color1, #b26a00)",
    JobState.RUNNING: "var(--jp-brand-color1, #1976d2)",
    JobState.SUCCEEDED: "var(--jp-success-color1, #2e7d32)",
    JobState.FAILED: "var(--jp-error-color1, #c62828)",
    JobState.CANCELLED: "var(--jp-warn-color1, #b26a00)",
}

_CELL = "text-align: left; padding: 2px 8px 2px 0; vertical-align: top; white-space: normal; overflow-wrap: anywhere;"


def card(record: JobRecord, status: JobStatus, now: float) -> str:
    """Return one job as a card."""
    elapsed = record.elapsed(now)
    usual = str(status.usual or "")
    facts = [_status(record, status.text), "" if elapsed is None else durations.show(elapsed), usual, escape(record.queue)]
    facts += [] if record.state.ended else [as_of(now, f"bg.job({record.id})")]
    error = (
        f'<div style="color: {_COLOURS[JobState.FAILED]};">{escape(record.current_error)}</div>' if record.current_error else ""
    )
    return (
        '<div style="border: 1px solid var(--jp-border-color2, #ccc); border-radius: 4px; padding: 8px 12px; '
        'display: inline-block; max-width: 100%; font-size: var(--jp-ui-font-size1, 13px);">'
        f'<div><b>job {record.id}</b> <code style="overflow-wrap: anywhere;">{escape(record.title)}</code></div>'
        f"<div>{' · '.join(fact for fact in facts if fact)}</div>{error}</div>"
    )


def as_of(now: float, call: str) -> str:
    """Return when the state was read, and the call that reads it again: a saved notebook says what was so then."""
    return f"as of {moments.show(now)}; <code>{escape(call)}</code> shows it now"


def note(text: str) -> str:
    """Return a sentence to show instead of a card, or below a table."""
    return f'<div style="color: {_COLOURS[JobState.QUEUED]};">{escape(text)}</div>'


def _status(record: JobRecord, status: str) -> str:
    return f'<span style="color: {_COLOURS[record.state]};">● {escape(status)}</span>'


#: As wide as the cell, however long a call or an error is: those take several lines.
_TABLE = "font-size: 13px; width: 100%; max-width: 100%; table-layout: fixed;"

_WIDTHS = ("46px", "auto", "20%", "88px", "62px", "62px", "22%")

_HEAD = ("id", "job", "state", "submitted", "elapsed", "disk", "error")


def table(records: Sequence[JobRecord], statuses: Mapping[int, JobStatus], now: float) -> str:
    """Return several jobs as a table."""
    return table_of([row(record, statuses[record.id], now) for record in records], [])


def table_of(rows: Sequence[str], notes: Sequence[str]) -> str:
    """Return a table of the rows of jobs or groups."""
    if not rows:
        return "<div>No jobs yet. Submit one with <code>%bgjob module.Class.method key=value</code></div>"
    head = "".join(f'<th style="{_CELL}">{title}</th>' for title in _HEAD)
    below = "".join(f'<div style="color: {_COLOURS[JobState.CANCELLED]};">{escape(each)}</div>' for each in notes)
    columns = "".join(f'<col style="width: {width};">' for width in _WIDTHS)
    return f'<table style="{_TABLE}"><colgroup>{columns}</colgroup><tr>{head}</tr>{"".join(rows)}</table>{below}'


def row(record: JobRecord, status: JobStatus, now: float, disk: int = 0) -> str:
    """Return one job as a row; `disk`: bytes that it takes, if known."""
    elapsed = record.elapsed(now)
    cells = (
        str(record.id),
        f"<code>{escape(record.title)}</code>",
        _status(record, status.text) + (f"<div>{escape(str(status.usual))}</div>" if str(status.usual or "") else ""),
        time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.submitted_at)),
        "" if elapsed is None else durations.show(elapsed),
        sizes.show(disk) if disk else "",
        escape(record.current_error or ""),
    )
    styles = (*[_CELL] * 5, f"{_CELL} white-space: nowrap;", _CELL)
    return "<tr>" + "".join(f'<td style="{style}">{cell}</td>' for style, cell in zip(styles, cells, strict=True)) + "</tr>"


def group(record: GroupRecord, members: Sequence[JobRecord], statuses: Mapping[int, JobStatus], now: float) -> str:
    """Return a group as a line that unfolds into those of its jobs that are given."""
    more = record.total - len(members)
    rest = f"<div>… and {more:,} more: <code>bg.group({record.id}).jobs</code></div>" if more > 0 else ""
    as_of_group = f" · {as_of(now, f'bg.group({record.id})')}" if record.live else ""
    return f"<details><summary>{escape(record.line())}{as_of_group}</summary>{table(members, statuses, now)}{rest}</details>"


def group_row(record: GroupRecord, members: Sequence[JobRecord], statuses: Mapping[int, JobStatus], now: float) -> str:
    """Return a group as a row that unfolds."""
    return f'<tr><td style="{_CELL}" colspan="{len(_HEAD)}">{group(record, members, statuses, now)}</td></tr>'
