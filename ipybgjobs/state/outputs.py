"""A job's printed and displayed output, in order, as notebook outputs; it reads an attempt folder and nothing else.

Updates and clears work as in nbclient: an update changes every display with its id, a clear removes everything before it;
with ``wait``, only when the next output comes.
"""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

from ..model import redaction, sizes, terminal_text
from ..system import private_file
from . import attempt, display_records
from .text_log import TextLog


class _Cell:
    """The outputs of a cell, as they grow."""

    def __init__(self) -> None:
        self.outputs: list[dict[str, Any]] = []
        self._looks: dict[str, dict[str, Any]] = {}  #: the current content of each display id
        self._clear_next = False
        self._kept = 0  # number of outputs that a clear keeps

    def begin(self) -> None:
        """Begin a new section: a clear removes nothing that came before."""
        self._clear_next = False
        self._kept = len(self.outputs)

    def _add(self, output: dict[str, Any]) -> dict[str, Any]:
        if self._clear_next:
            self.clear(wait=False)
        self.outputs.append(output)
        return output

    def clear(self, *, wait: bool) -> None:
        """Clear the outputs: now, or when the next output comes."""
        self._clear_next = wait
        if not wait:
            del self.outputs[self._kept :]

    def text(self, content: bytes) -> None:
        """Add text from the log; adjacent text becomes one stream."""
        if not content:
            return
        last = self.outputs[-1] if len(self.outputs) > self._kept and not self._clear_next else None
        if last is not None and last["output_type"] == "stream":
            last["text"].append(content)
        else:
            self._add({"output_type": "stream", "name": "stdout", "text": [content]})

    def display(self, record: dict[str, Any]) -> None:
        """Add a display; earlier displays with its id get its content."""
        self.update(record)
        self._add({"output_type": "display_data", **_mime_bundle(record), "display_id": record["display_id"]})

    def update(self, record: dict[str, Any]) -> None:
        """Update the content of a display."""
        if record["display_id"]:
            self._looks[record["display_id"]] = _mime_bundle(record)

    def result(self, record: dict[str, Any]) -> None:
        """Add the return value."""
        self._add(
            {
                "output_type": "execute_result",
                **_mime_bundle(record),
                "execution_count": None,
            }
        )

    def extend(self, outputs: list[dict[str, Any]]) -> None:
        """Add outputs that have no record."""
        for output in outputs:
            self._add(output)

    def error(self, record: dict[str, Any]) -> None:
        """Add the exception that the job raised."""
        lines = "".join(record["traceback"]).rstrip("\n").split("\n")
        self._add({"output_type": "error", "ename": record["name"], "evalue": record["message"], "traceback": lines})

    def finished(self) -> list[dict[str, Any]]:
        """Return the final outputs: text with its control characters applied, displays as last updated."""
        for output in self.outputs:
            if output["output_type"] == "stream":
                output["text"] = terminal_text.settled(b"".join(output["text"]).decode("utf-8", "backslashreplace"))
            name = output.pop("display_id", None)
            output.update(self._looks[name] if name else {})
        return self.outputs


def _mime_bundle(record: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a record."""
    return {"data": record["data"], "metadata": record["metadata"]}


def without_secrets(outputs: list[dict[str, Any]], secrets: Iterable[str]) -> list[dict[str, Any]]:
    """Blank secret values anywhere in outputs, and escape what is not Unicode."""
    hidden = tuple(secrets)

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            shown = redaction.without(value, hidden)
            return shown if shown.isascii() else shown.encode("utf-8", "backslashreplace").decode()
        if isinstance(value, list):
            return [clean(each) for each in value]
        return {key: clean(each) for key, each in value.items()} if isinstance(value, dict) else value

    return [{key: clean(value) for key, value in output.items()} for output in outputs]


def of_attempt(folder: str, result: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Read an attempt's printed and displayed output, as dicts in the form of nbformat outputs.

    Parameters
    ----------
    folder : str
        The attempt folder.
    result : dict, optional
        The return value, from its outcome; it comes last.
    """
    log = TextLog(folder)
    cell, position, size = _Cell(), 0, log.size
    for record in _records(folder):
        upto = min(record.get("began", record["offset"]), size)
        if upto > position:
            cell.text(log.read(position, upto))
        position = max(position, min(record["offset"], size))
        kind = record["kind"]
        if kind == "clear":
            cell.clear(wait=record["wait"])
        elif kind == "begin":
            cell.begin()
        elif kind == "lost":
            cell.text(f"[a display could not be saved: {record['reason']}]\n".encode())
        elif kind == "dropped":
            cell.text(dropped(record["displays"], record["bytes"]).encode())
        else:
            getattr(cell, kind)(record)
    cell.text(log.read(position, size))
    if not any(output["output_type"] == "execute_result" for output in cell.outputs):
        cell.extend(of_result(result or {}))
    return cell.finished()


def dropped(displays: int, size: int) -> str:
    """Return a note that displays of `size` bytes were dropped."""
    what = "1 display" if displays == 1 else f"{displays:,} displays"
    return (
        f"\n… {what} ({sizes.show(size)}) {'was' if displays == 1 else 'were'} dropped here (BackgroundJobs.max_output_bytes) …\n"
    )


def of_result(value: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the return value as an output, if it has no richer representation."""
    if value.get("unshown") and "lost" not in value:
        return []
    if value.get("plain") is None and "lost" not in value:
        return []
    text = (
        f"[the return value could not be saved: {value['lost']}] {value.get('repr', '')}"
        if "lost" in value
        else repr(value["plain"])
    )
    return [{"output_type": "execute_result", "data": {"text/plain": text}, "metadata": {}, "execution_count": None}]


def _records(folder: str) -> Iterator[dict[str, Any]]:
    """Yield the complete records, in order."""
    with contextlib.suppress(OSError), private_file.opened(f"{folder}/{attempt.OUTPUTS}") as file:
        yield from filter(None, map(display_records.parsed, file))
