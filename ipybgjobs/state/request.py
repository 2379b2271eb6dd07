"""What a worker has to do: the bytes that a launch carries, and their one reader, wherever they come from.

A fork gets them with the message that starts it; any other worker finds them in its folder as ``request.json``. Every worker
loads it, so it imports next to nothing.
"""

from typing import Any

from ..model import json_text
from ..system import private_file
from . import attempt

#: Longest request that is kept in the start marker, in bytes; a longer one has a file of its own.
_LONGEST_IN_MARKER = 1 << 16


def parse(content: bytes) -> dict[str, Any] | None:
    """Parse a request; None if it is none."""
    try:
        value = json_text.parse(content)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def write(folder: str, content: bytes) -> None:
    """Write a request to its attempt folder, for a worker that gets no message.

    Raises
    ------
    OSError
        If it can't be written.
    """
    private_file.write_new_bytes(folder, attempt.REQUEST, content)


def in_folder(folder: str) -> bytes | None:
    """Return the request in an attempt folder; None if there is none."""
    try:
        return private_file.read(f"{folder}/{attempt.REQUEST}")
    except (OSError, MemoryError):
        return None


def fits_in_marker(content: bytes) -> bool:
    """Return whether a request is short enough to be kept in the start marker."""
    return len(content) <= _LONGEST_IN_MARKER


def kept(folder: str) -> dict[str, Any] | None:
    """Return the request of an attempt that has begun: it is in the start marker, or in a file of its own."""
    marker = private_file.read_json(folder, attempt.STARTED) or {}
    found = marker.get("request")
    return found if isinstance(found, dict) else private_file.read_json(folder, attempt.REQUEST)
