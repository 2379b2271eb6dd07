"""One job in full for the panel: facts, attempts, the call as code, its growing log, and its outputs, cut to a size to send."""

import codecs
import json
import os
import time
from typing import Any

from ..client.jobs import as_json, notebook_export
from ..client.jobs.view import JobView
from ..model import sizes
from ..state import attempt
from ..state.text_log import TextLog
from . import log_parts

#: Bytes of a log that may arrive between two checks before the panel skips to the end.
_LEAP = 4 * log_parts.BYTES

#: Bytes of outputs in one message; those that do not fit are only named. A server drops messages that arrive too fast.
_OUTPUTS = 2_000_000


def detail(job: JobView) -> dict[str, Any]:
    """Return the details of a job that a panel shows, as JSON values."""
    said = as_json.as_json(job)
    return {
        "job": job.id,
        "call": said["call"],
        "code": notebook_export.call_as_code(job),
        "error": said["error"],
        "traceback": job.traceback,
        "changes": said["changes"],
        "attempts": said["attempts"],
        "facts": {key: said[key] for key in _FACTS if said[key] not in (None, [], False)}
        | _disk(said["disk_bytes"])
        | _left(job),
    }


_FACTS = (
    "target",
    "name",
    "uid",
    "queue",
    "priority",
    "submitted_at",
    "deadline",
    "after",
    "unique",
    "retried_from",
    "group",
    "kept",
    "notebook",
)


def _disk(taken: int) -> dict[str, str]:
    return {"on disk": sizes.show(taken)} if taken else {}


def _left(job: JobView) -> dict[str, str]:
    """Return the processes that the job left running, while they run."""
    found = "; ".join(each.line(time.time()) for each in job.left_running())
    return {"left running": found} if found else {}


class Tail:
    """The end of an attempt's log, and the text that follows it.

    Parameters
    ----------
    folder : str
        The attempt folder.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._position: int | None = None
        self._first_line = 1  # of what was shown first
        self._outputs = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def more(self) -> dict[str, Any] | None:
        """Return the news: text, whether it starts over, a mark that changes with the outputs; None if there is nothing new."""
        text, from_start = self._text()
        marks = (_mark(f"{self.folder}/{name}") for name in (attempt.OUTPUTS, attempt.OUTPUT, attempt.OUTCOME))
        outputs = f"{os.path.basename(self.folder)}:{':'.join(marks)}"
        if not text and not from_start and outputs == self._outputs:
            return None
        self._outputs = outputs
        first = {"first_line": self._first_line} if from_start else {}
        return {"text": text, "from_start": from_start, "outputs": outputs, **first}

    def _text(self) -> tuple[str, bool]:
        log = TextLog(self.folder)
        size, from_start = log.size, False
        if self._position is None or size - self._position > _LEAP or size < self._position:
            self._position, from_start = max(0, size - log_parts.BYTES), True
            self._decoder.reset()
        begin = self._position
        content, self._position = log.piece(begin, _LEAP)
        if from_start:
            shown = log_parts.end_of(content, cut=begin > 0)
            self._first_line = 1 + log_parts.lines_before(log, begin) + content[: len(content) - len(shown)].count(b"\n")
            content = shown
        return self._decoder.decode(content), from_start


def _mark(path: str) -> str:
    """Return a mark that changes with a file, which may be rewritten with the same size."""
    try:
        status = os.stat(path)
    except OSError:
        return ""
    return f"{status.st_size}.{status.st_mtime_ns}"


def outputs(job: JobView, number: int | None = None) -> list[dict[str, Any]]:
    """Return the displays and printed text of an attempt, the last ones in full; those that would be too large are only named.

    Parameters
    ----------
    job : JobView
        The job.
    number : int, optional
        The attempt; by default the newest.

    Raises
    ------
    InvalidParameters
        If there is no such attempt.
    """
    left, found = _OUTPUTS, []
    for output in reversed(job.outputs(number)):
        each = _cut(dict(output))
        taken = len(json.dumps(each))
        if taken > left:
            each = {"output_type": "stream", "name": "stderr", "text": _too_large(each, taken, job.id, number)}
            taken = len(each["text"])
        left -= taken
        found.append(each)
    return found[::-1]


def _cut(output: dict[str, Any]) -> dict[str, Any]:
    """Cut a stream to its end, like the log."""
    return {**output, "text": output["text"][-log_parts.BYTES :]} if output["output_type"] == "stream" else output


def _too_large(output: dict[str, Any], taken: int, job_id: int, number: int | None) -> str:
    what = ", ".join(output.get("data", {})) or output["output_type"]
    return f"[{what}, {sizes.show(taken)}, is too large to show here: bg.job({job_id}).show({number or ''}) shows everything]\n"
