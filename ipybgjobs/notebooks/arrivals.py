"""Whether all that a kernel has sent has come: Jupyter's own session numbers its messages, over all channels, without a gap.

Of a kernel with other ids it knows nothing, and says so.
"""

from typing import Any


class Arrivals:
    """Counts the messages that have come from a kernel."""

    def __init__(self) -> None:
        self._stem: str | None = None
        self._numbers: set[int] = set()
        self._replies = 0
        self.newest = -1  #: number of the message that has come last

    @property
    def begun(self) -> bool:
        """Return whether a message was noted."""
        return self._stem is not None

    def note(self, message: dict[str, Any]) -> None:
        """Take note of a message of the IOPub channel; those of its forks count for themselves."""
        stem, _, number = str(message["header"].get("msg_id", "")).rpartition("_")
        if not number.isdecimal() or not stem:
            return
        if self._stem is None:
            self._stem = stem
        if stem == self._stem:
            self._numbers.add(int(number))
            self.newest = int(number)

    def note_reply(self) -> None:
        """Take note of a reply, which has come on another channel and bears a number as well."""
        self._replies += 1

    def missing(self) -> int:
        """How many messages have not come, between the first and the last that have; 0 where that can't be known."""
        if not self._numbers:
            return 0
        sent = max(self._numbers) - min(self._numbers) + 1
        return max(0, sent - len(self._numbers) - self._replies)
