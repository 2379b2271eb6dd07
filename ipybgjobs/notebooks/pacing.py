"""The worker's side of pacing a kernel: it records the last received message, which the kernel checks before it sends more.

Without it, a kernel that produces more output than the worker can process would keep all of it in memory.
"""

import mmap
import os
import struct
import tempfile
from pathlib import Path

from ..state import current_job
from . import kernel_pacing


class Pacing:
    """The record for one kernel."""

    def __init__(self) -> None:
        self._path = ""
        self._taken: mmap.mmap | None = None  # None: no kernel was asked

    def request(self) -> str:
        """Return the code that makes the kernel check the record; it binds no names in the notebook."""
        self._make()
        source = Path(kernel_pacing.__file__).read_text(encoding="utf-8") + "\nbegin(get_ipython().kernel, path, most)\n"
        names = {"__name__": "kernel", "path": self._path, "most": current_job.most_output()}
        return f"exec({source!r}, {{'get_ipython': get_ipython, **{names!r}}})"

    def _make(self) -> None:
        job = current_job.current_job()
        descriptor, self._path = tempfile.mkstemp(prefix="taken", dir=None if job is None else job.folder)
        try:
            os.write(descriptor, struct.pack(kernel_pacing.NUMBER, -1))
            self._taken = mmap.mmap(descriptor, struct.calcsize(kernel_pacing.NUMBER))
        finally:
            os.close(descriptor)

    def begun(self) -> None:
        """Remove the file's name: the kernel has answered, and has the file open."""
        Path(self._path).unlink(missing_ok=True)

    def note(self, number: int) -> None:
        """Record the number of the newest received message."""
        if self._taken is not None:
            self._taken[:] = struct.pack(kernel_pacing.NUMBER, number)
