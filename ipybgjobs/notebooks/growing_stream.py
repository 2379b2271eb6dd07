"""A growing stream output: text is added without copying the existing text each time.

It changes the last output of one cell, and never decides what belongs to it.
"""

from typing import Any


class StreamBuffer:
    """The stream output to which text was last added."""

    def __init__(self) -> None:
        self._output: Any = None
        self._pieces: list[str] = []
        self._size = 0

    def add(self, output: Any, text: str) -> None:
        """Add text to an output; it appears there after `flush`."""
        if output is not self._output:
            self.flush()
            self._output = output
        self._pieces.append(text)
        self._size += len(text)
        if self._size > len(output["text"]):  # so that each character is copied only a few times in total
            self.flush()

    def flush(self) -> None:
        """Write all added text to the output."""
        if self._output is not None:
            self._output["text"] += "".join(self._pieces)
        self._output, self._pieces, self._size = None, [], 0
