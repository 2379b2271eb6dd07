"""What a job printed and displayed, put together in order, as a notebook's outputs; it reads an attempt folder and nothing else.

The meaning of updates and clears is nbclient's: an update changes what bears its id, a clear takes everything before it away,
with ``wait`` only when the next output comes.
"""

import contextlib
import json
from collections.abc import Iterable
from typing import Any

from . import attempt, redaction, terminal
from .textlog import TextLog


class _Cell:
    """The outputs of a cell, as they grow."""

    def __init__(self) -> None:
        self.outputs: list[dict[str, Any]] = []
        self._ids: dict[str, list[dict[str, Any]]] = {}
        self._clear_next = False
        self._kept = 0  # how many of the outputs no clear takes away

    def begin(self) -> None:
        """What comes now stands for itself: a clear takes nothing away that was there before."""
        self._clear_next = False
        self._kept = len(self.outputs)

    def _add(self, output: dict[str, Any]) -> dict[str, Any]:
        if self._clear_next:
            self.clear(wait=False)
        self.outputs.append(output)
        return output

    def clear(self, *, wait: bool) -> None:
        """Take everything away: now, or when the next output comes."""
        self._clear_next = wait
        if not wait:
            del self.outputs[self._kept :]
            self._ids = {name: [each for each in shown if self._has(each)] for name, shown in self._ids.items()}

    def _has(self, output: dict[str, Any]) -> bool:
        return any(each is output for each in self.outputs)

    def text(self, content: bytes) -> None:
        """Text from the log; what follows text is one stream with it."""
        if not content:
            return
        last = self.outputs[-1] if len(self.outputs) > self._kept and not self._clear_next else None
        if last is not None and last["output_type"] == "stream":
            last["text"].append(content)
        else:
            self._add({"output_type": "stream", "name": "stdout", "text": [content]})

    def display(self, record: dict[str, Any]) -> None:
        """Something was displayed; what bears its id already looks like it now."""
        self.update(record)
        output = self._add({"output_type": "display_data", "data": record["data"], "metadata": record["metadata"]})
        if record["display_id"]:
            self._ids.setdefault(record["display_id"], []).append(output)

    def update(self, record: dict[str, Any]) -> None:
        """Something that was displayed looks different now."""
        for output in self._ids.get(record["display_id"], []):
            output |= {"data": record["data"], "metadata": record["metadata"]}

    def result(self, record: dict[str, Any]) -> None:
        """The return value."""
        self._add(
            {
                "output_type": "execute_result",
                "data": record["data"],
                "metadata": record["metadata"],
                "execution_count": None,
            }
        )

    def extend(self, outputs: list[dict[str, Any]]) -> None:
        """Outputs that no record says."""
        for output in outputs:
            self._add(output)

    def error(self, record: dict[str, Any]) -> None:
        """The job raised."""
        lines = "".join(record["traceback"]).rstrip("\n").split("\n")
        self._add({"output_type": "error", "ename": record["name"], "evalue": record["message"], "traceback": lines})


def without_secrets(outputs: list[dict[str, Any]], secrets: Iterable[str]) -> list[dict[str, Any]]:
    """Blank secret values wherever they turn up in outputs, and escape what is no Unicode."""
    hidden = tuple(secrets)

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            return redaction.without(value, hidden).encode("utf-8", "backslashreplace").decode()
        if isinstance(value, list):
            return [clean(each) for each in value]
        return {key: clean(each) for key, each in value.items()} if isinstance(value, dict) else value

    return [{key: clean(value) for key, value in output.items()} for output in outputs]


def of_attempt(folder: str, result: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Read what an attempt printed and displayed, as dicts in the form of nbformat's outputs.

    Parameters
    ----------
    folder : str
        The attempt folder.
    result : dict, optional
        What its outcome says of its return value, which comes last.
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
            cell.text(f"[a display could not be kept: {record['reason']}]\n".encode())
        elif kind in ("display", "update", "result", "error"):
            with contextlib.suppress(KeyError):  # anybody may have written the file
                getattr(cell, kind)(record)
    cell.text(log.read(position, size))
    if not any(output["output_type"] == "execute_result" for output in cell.outputs):
        cell.extend(of_result(result or {}))
    for output in cell.outputs:
        if output["output_type"] == "stream":
            output["text"] = terminal.settled(b"".join(output["text"]).decode("utf-8", "backslashreplace"))
    return cell.outputs


def of_result(value: dict[str, Any]) -> list[dict[str, Any]]:
    """What an attempt returned, from its outcome, where that looks like nothing but its text."""
    if value.get("unshown") and "lost" not in value:
        return []
    if value.get("plain") is None and "lost" not in value:
        return []
    text = f"[the return value could not be kept: {value['lost']}] {value['repr']}" if "lost" in value else repr(value["plain"])
    return [{"output_type": "execute_result", "data": {"text/plain": text}, "metadata": {}, "execution_count": None}]


def _records(folder: str) -> list[dict[str, Any]]:
    """The records that are whole; a crash may have cut the last one short."""
    found = []
    try:
        with open(f"{folder}/{attempt.OUTPUTS}", "rb") as file:
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return []
    for line in lines:
        try:
            record = json.loads(line, parse_constant=lambda _: None)  # NaN and its kin are no JSON
        except ValueError:
            continue
        if isinstance(record, dict) and isinstance(record.get("offset"), int):
            found.append(record)
    return found
