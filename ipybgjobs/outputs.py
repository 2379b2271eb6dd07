"""What a job printed and displayed, put together in order, as a notebook's outputs; it reads an attempt folder and nothing else.

The meaning of updates and clears is nbclient's: an update changes what bears its id, a clear takes everything before it away,
with ``wait`` only when the next output comes.
"""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

from . import attempt, displayrecords, redaction, sizes, terminal
from .textlog import TextLog


class _Cell:
    """The outputs of a cell, as they grow."""

    def __init__(self) -> None:
        self.outputs: list[dict[str, Any]] = []
        self._looks: dict[str, dict[str, Any]] = {}  #: how what bears an id looks now
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
        self._add({"output_type": "display_data", **_look(record), "display_id": record["display_id"]})

    def update(self, record: dict[str, Any]) -> None:
        """Something that was displayed looks different now."""
        if record["display_id"]:
            self._looks[record["display_id"]] = _look(record)

    def result(self, record: dict[str, Any]) -> None:
        """The return value."""
        self._add(
            {
                "output_type": "execute_result",
                **_look(record),
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

    def finished(self) -> list[dict[str, Any]]:
        """The outputs as they look in the end: each text settled, each display as it was last updated."""
        for output in self.outputs:
            if output["output_type"] == "stream":
                output["text"] = terminal.settled(b"".join(output["text"]).decode("utf-8", "backslashreplace"))
            name = output.pop("display_id", None)
            output.update(self._looks[name] if name else {})
        return self.outputs


def _look(record: dict[str, Any]) -> dict[str, Any]:
    """How a record looks."""
    return {"data": record["data"], "metadata": record["metadata"]}


def without_secrets(outputs: list[dict[str, Any]], secrets: Iterable[str]) -> list[dict[str, Any]]:
    """Blank secret values wherever they turn up in outputs, and escape what is no Unicode."""
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
    """Say that displays of so many bytes were dropped."""
    what = "1 display" if displays == 1 else f"{displays:,} displays"
    return (
        f"\n… {what} ({sizes.show(size)}) {'was' if displays == 1 else 'were'} dropped here (BackgroundJobs.max_output_bytes) …\n"
    )


def of_result(value: dict[str, Any]) -> list[dict[str, Any]]:
    """What an attempt returned, from its outcome, where that looks like nothing but its text."""
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
    """The records that are whole, one after the other."""
    with contextlib.suppress(OSError), attempt.opened(f"{folder}/{attempt.OUTPUTS}") as file:
        yield from filter(None, map(displayrecords.parsed, file))
