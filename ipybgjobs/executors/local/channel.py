"""The channel between supervisor and fork server: JSON messages, a line each, on a stream socket; nobody waits for the other."""

import json
import socket
from typing import Any

from ...model import json_text

_CHUNK = 1 << 16


class Channel:
    """One end.

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
        """The descriptor to wait on."""
        return self._socket.fileno()

    @property
    def pending(self) -> bool:
        """Whether something is still to be sent: to be tried again when the socket takes more."""
        return bool(self._unsent)

    def send(self, message: dict[str, Any]) -> None:
        """Send a message, or as much of it as the socket takes now."""
        self._unsent += json.dumps(message).encode() + b"\n"
        self.flush()

    def flush(self) -> None:
        """Send what the socket takes; where the other end is gone, forget it."""
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent.clear()

    def receive(self) -> tuple[list[dict[str, Any]], bool]:
        """Return the messages that have come whole, and whether the other end is there."""
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
        except ValueError:  # whoever is there now does not speak for the other end
            return [], False
        return [message for message in messages if isinstance(message, dict)], there

    def close(self) -> None:
        """Close this end."""
        self._socket.close()
