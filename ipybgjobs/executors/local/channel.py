"""The channel between supervisor and fork server: messages on a stream socket; neither side blocks.

A message is a line of JSON. If it has a `content`, that is the number of bytes that follow the line.
"""

import json
import socket
from typing import Any

from ...model import json_text

_CHUNK = 1 << 16


class Channel:
    """One end of the channel.

    Parameters
    ----------
    end : socket.socket
        A connected stream socket.
    """

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._socket = end
        self._received = bytearray()
        self._unsent = bytearray()
        self._begun: dict[str, Any] | None = None  # a message whose content has not arrived completely

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._socket.fileno()

    @property
    def pending(self) -> bool:
        """Return whether data is still to be sent; sending is retried when the socket accepts more."""
        return bool(self._unsent)

    def send(self, message: dict[str, Any], content: bytes = b"") -> None:
        """Send a message with content, or as much of them as the socket accepts now."""
        self.add(message, content)
        self.flush()

    def add(self, message: dict[str, Any], content: bytes = b"") -> None:
        """Add a message to those that are sent next, for which the other end need not wake up at once."""
        if content:
            message = message | {"content": len(content)}
        self._unsent += json.dumps(message).encode() + b"\n" + content

    def flush(self) -> None:
        """Send as much as the socket accepts; if the other end is closed, discard the rest."""
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent.clear()

    def receive(self) -> tuple[list[dict[str, Any]], bool]:
        """Return the complete messages received, each with its bytes as ``content``, and whether the other end is open."""
        there = True
        try:
            while chunk := self._socket.recv(_CHUNK):
                self._received += chunk
            there = False
        except BlockingIOError:
            pass
        except OSError:
            there = False
        messages = []
        try:
            while (message := self._next()) is not None:
                messages.append(message)
        except ValueError:  # not our protocol: treat the other end as gone
            return [], False
        return messages, there

    def _next(self) -> dict[str, Any] | None:
        """Take the next message out of what was received; None if it is not complete.

        Raises
        ------
        ValueError
            If it is not a message.
        """
        if self._begun is None:
            end = self._received.find(b"\n")
            if end < 0:
                return None
            message = json_text.parse(bytes(self._received[:end]))
            if not isinstance(message, dict):
                raise ValueError("not a message")
            del self._received[: end + 1]
            self._begun = message
        size = self._begun.get("content", 0)
        if len(self._received) < size:
            return None
        message, self._begun = self._begun, None
        if size:
            message["content"] = bytes(self._received[:size])
            del self._received[:size]
        return message

    def close(self) -> None:
        """Close this end."""
        self._socket.close()
