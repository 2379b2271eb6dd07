"""Standard output and error of a job: what can't be written, since the disk is full, is counted and lost, and the job goes on."""

import errno
import io
import sys
from typing import Any

#: Faults of the place that is written to, for which nobody's code is to fail.
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class Lost:
    """What could not be written."""

    def __init__(self) -> None:
        self.bytes = 0
        self.displays = 0
        self.reason = ""

    def note(self, error: OSError, *, size: int = 0, displays: int = 0) -> None:
        """Count something that was lost.

        Raises
        ------
        OSError
            The error itself, where it is no fault of the disk.
        """
        if error.errno not in _OF_THE_DISK:
            raise error
        self.bytes += size
        self.displays += displays
        self.reason = error.strerror or str(error)

    def to_json(self) -> dict[str, Any] | None:
        """Return JSON values; None where nothing was lost."""
        if not self.reason:
            return None
        return {"bytes": self.bytes, "displays": self.displays, "reason": self.reason}


#: What this process's job has lost.
lost = Lost()


class _Raw(io.FileIO):
    """A descriptor whose disk may be full."""

    def write(self, content: Any, /) -> int:
        try:
            return super().write(content)
        except OSError as error:
            lost.note(error, size=len(content))
            return len(content)


def install() -> None:
    """Give this process streams that lose what can't be written."""
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        raw = _Raw(descriptor, "w", closefd=False)
        stream = io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", line_buffering=True)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
