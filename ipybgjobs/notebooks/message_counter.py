"""Detect missing messages of a kernel: Jupyter's session numbers its messages over all channels, without gaps.

For a kernel with other message ids it reports none, since it can't know.
"""

from typing import Any


class MessageCounter:
    """Counts the messages that have arrived from a kernel."""

    def __init__(self) -> None:
        self._stem: str | None = None
        self._numbers: set[int] = set()
        self._replies = 0
        self.newest = -1  #: number of the last message that has arrived

    @property
    def begun(self) -> bool:
        """Return whether any message was counted."""
        return self._stem is not None

    def note(self, message: dict[str, Any]) -> None:
        """Count a message of the IOPub channel; those of the kernel's forks have their own numbers."""
        stem, _, number = str(message["header"].get("msg_id", "")).rpartition("_")
        if not number.isdecimal() or not stem:
            return
        if self._stem is None:
            self._stem = stem
        if stem == self._stem:
            self._numbers.add(int(number))
            self.newest = int(number)

    def note_reply(self) -> None:
        """Count a reply, which arrived on another channel and has a number too."""
        self._replies += 1

    def missing(self) -> int:
        """Return the number of missing messages between the first and the last that arrived; 0 if that can't be known."""
        if not self._numbers:
            return 0
        sent = max(self._numbers) - min(self._numbers) + 1
        return max(0, sent - len(self._numbers) - self._replies)
