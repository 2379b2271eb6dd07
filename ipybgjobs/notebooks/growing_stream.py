"""A stream output that grows: text is added to it without copying, each time, what it holds already.

It changes the last output of one cell, and decides nothing about what belongs to it.
"""

from typing import Any


class Growing:
    """The stream output to which text was added last."""

    def __init__(self) -> None:
        self._output: Any = None
        self._pieces: list[str] = []
        self._size = 0

    def add(self, output: Any, text: str) -> None:
        """Add text to an output; it is there once that is settled."""
        if output is not self._output:
            self.settle()
            self._output = output
        self._pieces.append(text)
        self._size += len(text)
        if self._size > len(output["text"]):  # so that each character is copied a few times in all
            self.settle()

    def settle(self) -> None:
        """Have in the output all that was added."""
        if self._output is not None:
            self._output["text"] += "".join(self._pieces)
        self._output, self._pieces, self._size = None, [], 0
