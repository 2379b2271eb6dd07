"""Forward what a notebook's cells print and display to the job's log and outputs; outside a job, to the current cell."""

import re
import sys
from typing import Any

from ..state import current_job, replay
from ..worker.descriptions import ErrorText
from ..worker.displays import Outputs

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class MessageForwarder:
    """Forwards a kernel's messages of the Jupyter messaging protocol."""

    def __init__(self) -> None:
        job = current_job.current_job()
        self._outputs = None if job is None else Outputs(job.folder)

    def begin(self) -> None:
        """Begin a cell, which can clear only its own outputs."""
        if self._outputs is not None:
            self._outputs.begin()

    def write(self, text: str) -> None:
        """Print a text."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def forward(self, message: dict[str, Any], *, errors: bool, late: bool = False) -> None:
        """Forward the content of a message.

        Parameters
        ----------
        message : dict
            A message of the kernel's IOPub channel.
        errors : bool
            Whether to show errors too: those that do not end the notebook, since the one that does is reported elsewhere.
        late : bool
            Whether the cell has ended: then the outputs that it clears exist only in the notebook.
        """
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            self.write(content["text"])
        elif kind in ("display_data", "execute_result", "update_display_data"):
            self._display(content, update=kind == "update_display_data")
        elif kind == "clear_output" and self._outputs is not None and not late:
            self._outputs.clear(wait=bool(content.get("wait")))
        elif kind == "error" and errors:
            self._error(content)

    def _display(self, content: dict[str, Any], *, update: bool) -> None:
        data, metadata = content["data"], content.get("metadata") or {}
        if self._outputs is not None:
            self._outputs.display(data, metadata, (content.get("transient") or {}).get("display_id"), update=update)
        elif not update:
            replay.show([{"output_type": "display_data", "data": data, "metadata": metadata}])

    def _error(self, content: dict[str, Any]) -> None:
        began = 0 if self._outputs is None else self._outputs.offset()
        self.write(without_colours(content["traceback"]) + "\n")
        if self._outputs is not None:
            told = ErrorText(content["ename"], content["evalue"], "".join(f"{line}\n" for line in content["traceback"]))
            self._outputs.error(told, began)


def without_colours(lines: list[str]) -> str:
    """Return a kernel's traceback as plain text."""
    return _COLOURS.sub("", "\n".join(lines))
