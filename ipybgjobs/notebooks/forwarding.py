"""What the cells of a notebook print and display, sent on to the job's log and outputs; where it is no job, to this cell."""

import re
import sys
from typing import Any

from ..state import current_job, replay
from ..worker.descriptions import Told
from ..worker.displays import Outputs

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Echo:
    """Takes a kernel's messages, as the Jupyter messaging protocol has them."""

    def __init__(self) -> None:
        job = current_job.current_job()
        self._outputs = None if job is None else Outputs(job.folder)

    def begin(self) -> None:
        """A cell begins: what it clears is its own."""
        if self._outputs is not None:
            self._outputs.begin()

    def say(self, text: str) -> None:
        """Print a text."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def take(self, message: dict[str, Any], *, errors: bool, late: bool = False) -> None:
        """Send on what a message shows.

        Parameters
        ----------
        message : dict
            From the kernel's IOPub channel.
        errors : bool
            Whether an error is shown too: where it does not end the notebook, which is told elsewhere.
        late : bool
            Whether the cell has ended: what it clears now is not there any more, but in the notebook.
        """
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            self.say(content["text"])
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
        self.say(without_colours(content["traceback"]) + "\n")
        if self._outputs is not None:
            told = Told(content["ename"], content["evalue"], "".join(f"{line}\n" for line in content["traceback"]))
            self._outputs.error(told, began)


def without_colours(lines: list[str]) -> str:
    """A kernel's traceback as plain text."""
    return _COLOURS.sub("", "\n".join(lines))
