"""Standard output and error of a job: text that can't be written to a full disk is counted and lost, and the job continues."""

import errno
import io
import sys
from typing import Any

#: Errors of the disk, which must not make the user's code fail.
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class LossCounter:
    """Counts data that could not be written."""

    def __init__(self) -> None:
        self.bytes = 0
        self.displays = 0
        self.reason = ""

    def note(self, error: OSError, *, size: int = 0, displays: int = 0) -> None:
        """Count lost data.

        Raises
        ------
        OSError
            The error itself, if it is not an error of the disk.
        """
        if error.errno not in _OF_THE_DISK:
            raise error
        self.bytes += size
        self.displays += displays
        self.reason = error.strerror or str(error)

    def to_json(self) -> dict[str, Any] | None:
        """Return JSON values; None if nothing was lost."""
        if not self.reason:
            return None
        return {"bytes": self.bytes, "displays": self.displays, "reason": self.reason}


#: The losses of this process's job.
losses = LossCounter()


class _Raw(io.FileIO):
    """A file descriptor on a disk that may be full."""

    def write(self, content: Any, /) -> int:
        try:
            return super().write(content)
        except OSError as error:
            losses.note(error, size=len(content))
            return len(content)


def install() -> None:
    """Replace this process's streams by ones that drop text that can't be written."""
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        raw = _Raw(descriptor, "w", closefd=False)
        stream = io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", line_buffering=True)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
