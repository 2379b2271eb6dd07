"""Wait for changes in a folder, so that a process that follows a job sleeps until there is something to read.

Linux: inotify, through the C library. Elsewhere, and if no more watches are available: a pause.
"""

import ctypes
import os
import select
import struct
import time

_MODIFIED, _MOVED_TO, _CREATED, _IGNORED = 0x2, 0x80, 0x100, 0x8000
_NONBLOCK, _CLOEXEC = 0o4000, 0o2000000

#: Seconds between two checks if there are no notifications.
_PAUSE = 0.2


class FolderWatch:
    """Waits for changes of the files in one folder; to be closed.

    Parameters
    ----------
    folder : str
        The folder, which must exist.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._descriptor = _watch(folder)
        self._lost = False  # whether the folder was removed

    def wait(self, seconds: float) -> bool:
        """Sleep until something changes or the time is over; return whether a change is known."""
        if self._lost:  # it may have been recreated
            self.close()
            self._descriptor = _watch(self._folder)
            self._lost = self._descriptor is None
        if self._descriptor is None:
            time.sleep(min(seconds, _PAUSE))
            return False
        waiting = select.poll()
        waiting.register(self._descriptor, select.POLLIN)
        changed = bool(waiting.poll(seconds * 1000))
        if changed:
            self._lost = _was_removed(os.read(self._descriptor, 1 << 16))
        return changed

    def close(self) -> None:
        """Stop watching."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _was_removed(events: bytes) -> bool:
    """Return whether the last of some events, in the format of inotify(7), ends the watch because the folder was removed."""
    _, mask, _, name = struct.unpack_from("iIII", events, len(events) - 16)
    return bool(mask & _IGNORED) and name == 0


def _watch(folder: str) -> int | None:
    library = ctypes.CDLL(None)
    if not hasattr(library, "inotify_init1"):
        return None
    descriptor: int = library.inotify_init1(_NONBLOCK | _CLOEXEC)
    if descriptor < 0:
        return None
    if library.inotify_add_watch(descriptor, os.fsencode(folder), _MODIFIED | _MOVED_TO | _CREATED) < 0:
        os.close(descriptor)
        return None
    return descriptor
