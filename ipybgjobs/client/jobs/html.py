"""Jobs as static HTML, which follows the notebook's theme and shows job data as text, never as markup."""

import re
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

#: Each cell says it, since notebooks and code hosts have rules of their own for cells, and drop style sheets.
_CELL = "text-align:left;vertical-align:top;padding:2px 8px 2px 0"

#: A card's code in the middle of a line has a margin in notebooks, which would look like a blank before it.
_CODE = '<code style="padding:0">'


#: Around a card.
_FRAME = (
    "border: 1px solid var(--jp-border-color2, #ccc); border-radius: 4px; padding: 8px 12px; max-width: 100%; "
    "font-size: var(--jp-ui-font-size1, 13px)"
)


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
        f'<div style="{_FRAME}; display: inline-block;">'
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
_TABLE = "font-size:13px;width:100%;max-width:100%;table-layout:fixed;white-space:normal;overflow-wrap:anywhere"

#: The columns with their widths in pixels; those without a text in any row are left out. The others share what is left.
_COLUMNS = {"id": 40, "job": 0, "state": 0, "submitted": 86, "elapsed": 74, "disk": 60, "error": 0}

#: The columns that share the rest by the lengths of their texts, each with a shortest and a longest that count, in characters.
_SHARES = {"job": (24, 70), "state": (17, 60), "error": (20, 60)}

#: Width of a usual cell in pixels: what is left of it is shared.
_USUAL = 800

_TAG = re.compile(r"<[^>]*>")

#: A row: the texts of its columns as markup, or one markup over all columns.
Row = dict[str, str] | str


def table(records: Sequence[JobRecord], statuses: Mapping[int, JobStatus], now: float) -> str:
    """Return several jobs as a table."""
    return table_of([row(record, statuses[record.id], now) for record in records], [])


def table_of(rows: Sequence[Row], notes: Sequence[str]) -> str:
    """Return a table of the rows of jobs or groups."""
    if not rows:
        return "<div>No jobs yet. Submit one with <code>%bgjob module.Class.method key=value</code></div>"
    single = [each for each in rows if isinstance(each, dict)]
    names = [name for name in _COLUMNS if any(each[name] for each in single)] or ["job"]
    below = "".join(f'<div style="color: {_COLOURS[JobState.CANCELLED]};">{escape(each)}</div>' for each in notes)
    widths = _widths(single, names)
    columns = "".join(f'<col style="width:{widths[name]}">' for name in names)
    head = "".join(f'<th style="{_CELL}">{name}</th>' for name in names)
    body = "".join(_row(each, names) for each in rows)
    return f'<table style="{_TABLE}"><colgroup>{columns}</colgroup><tr>{head}</tr>{body}</table>{below}'


def _widths(rows: Sequence[dict[str, str]], names: Sequence[str]) -> dict[str, str]:
    """Return the width of each column: what needs no more room than it has leaves it to the others."""
    lengths = {
        name: min(longest, max(shortest, *(len(_TAG.sub("", each[name])) for each in rows), 0))
        for name, (shortest, longest) in _SHARES.items()
        if name in names
    }
    rest = 1 - sum(_COLUMNS[name] for name in names) / _USUAL
    shares = {name: f"{100 * rest * length / sum(lengths.values()):.0f}%" for name, length in lengths.items()}
    return {name: f"{_COLUMNS[name]}px" for name in names} | shares | {"job": "auto"}


def _row(cells: Row, names: Sequence[str]) -> str:
    if isinstance(cells, str):
        return f'<tr><td style="{_CELL}" colspan="{len(names)}">{cells}</td></tr>'
    return "<tr>" + "".join(f'<td style="{_CELL}">{cells[name]}</td>' for name in names) + "</tr>"


def row(record: JobRecord, status: JobStatus, now: float, disk: int = 0) -> Row:
    """Return one job as a row; `disk`: bytes that it takes, if known."""
    elapsed = record.elapsed(now)
    return {
        "id": str(record.id),
        "job": f"{_CODE}{_breakable(escape(record.title))}</code>",
        "state": _status(record, status.text) + (f"<div>{escape(str(status.usual))}</div>" if str(status.usual or "") else ""),
        "submitted": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.submitted_at)),
        "elapsed": "" if elapsed is None else _unbroken(durations.show(elapsed)),
        "disk": _unbroken(sizes.show(disk)) if disk else "",
        "error": escape(record.current_error or ""),
    }


def _breakable(call: str) -> str:
    """Let a call be broken before its parameters, so that no number has to be."""
    return call.replace("(", "(<wbr>")


def _unbroken(text: str) -> str:
    return text.replace(" ", "&nbsp;")


def group(record: GroupRecord, members: Sequence[JobRecord], statuses: Mapping[int, JobStatus], now: float) -> str:
    """Return a group as a line that unfolds into those of its jobs that are given."""
    more = record.total - len(members)
    rest = f"<div>… and {more:,} more: <code>bg.group({record.id}).jobs</code></div>" if more > 0 else ""
    as_of_group = f" · {as_of(now, f'bg.group({record.id})')}" if record.live else ""
    return f"<details><summary>{escape(record.line())}{as_of_group}</summary>{table(members, statuses, now)}{rest}</details>"


def group_card(record: GroupRecord, members: Sequence[JobRecord], statuses: Mapping[int, JobStatus], now: float) -> str:
    """Return a group as a card."""
    return f'<div style="{_FRAME};">{group(record, members, statuses, now)}</div>'


def group_row(record: GroupRecord, members: Sequence[JobRecord], statuses: Mapping[int, JobStatus], now: float) -> Row:
    """Return a group as a row that unfolds."""
    return group(record, members, statuses, now)
