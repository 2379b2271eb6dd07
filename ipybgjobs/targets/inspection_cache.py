"""What was read or found out about a target, kept while the files behind it are unchanged. It reads files and imports nothing."""

import os
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

from ..model.source import SourceFile
from . import source

#: Largest number of targets that are kept; a process submits few.
_MOST = 100


class _CachedTarget(NamedTuple):
    found: Any
    files: tuple[list[Any], ...]  #: each as returned by `bytecode.source_of`


class TargetCache:
    """Targets by request, the newest last.

    Parameters
    ----------
    read_file : callable
        Returns a file as it is now; None if it can't be read.
    """

    def __init__(self, read_file: Callable[[str | None], SourceFile | None] = source.read) -> None:
        self._read_file = read_file
        self._targets: dict[Hashable, _CachedTarget] = {}

    def get(self, key: Hashable) -> Any:
        """Return the result, if its files are unchanged; otherwise None."""
        cached = self._targets.get(key)
        if cached is None or not all(map(self._is_same, cached.files)):
            return None
        return cached.found

    def _is_same(self, file: list[Any]) -> bool:
        try:
            status = os.stat(file[0])
        except OSError:
            return False
        if (status.st_mtime_ns, status.st_size) == (file[1], file[2]):
            return True
        now = self._read_file(file[0])
        if now is None or now.digest != file[3]:
            return False
        file[1:3] = now.modified_ns, now.size  # it was touched, but not edited
        return True

    def put(self, key: Hashable, found: Any, files: Sequence[list[Any]]) -> None:
        """Keep what comes from these files."""
        self._targets.pop(key, None)
        self._targets[key] = _CachedTarget(found, tuple(files))
        if len(self._targets) > _MOST:
            del self._targets[next(iter(self._targets))]
