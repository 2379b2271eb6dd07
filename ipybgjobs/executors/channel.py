"""The channel between supervisor and fork server: JSON messages, one per line, on a stream socket; neither side blocks."""

import json
import socket
from typing import Any

from ..model import json_text

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
        self._received = b""
        self._unsent = bytearray()

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._socket.fileno()

    @property
    def pending(self) -> bool:
        """Return whether data is still to be sent; sending is retried when the socket accepts more."""
        return bool(self._unsent)

    def send(self, message: dict[str, Any]) -> None:
        """Send a message, or as much of it as the socket accepts now."""
        self._unsent += json.dumps(message).encode() + b"\n"
        self.flush()

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
        """Return the complete messages received, and whether the other end is open."""
        there = True
        try:
            while chunk := self._socket.recv(_CHUNK):
                self._received += chunk
            there = False
        except BlockingIOError:
            pass
        except OSError:
            there = False
        *lines, self._received = self._received.split(b"\n")
        try:
            messages = [json_text.parse(line) for line in lines]
        except ValueError:  # not our protocol: treat the other end as gone
            return [], False
        return [message for message in messages if isinstance(message, dict)], there

    def close(self) -> None:
        """Close this end."""
        self._socket.close()
