"""What a fresh process has found out about a target, kept while the files behind it are unchanged.

It reads files and imports nothing: it keeps only values of standard library types, so that they load none of the
user's modules.
"""

import os
import sys
import typing
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

from ..model import serialization
from ..model.source import SourceFile
from . import source
from .binding import Signature

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
        """Keep the result of a process that loaded these files."""
        self._targets.pop(key, None)
        self._targets[key] = _CachedTarget(found, tuple(files))
        if len(self._targets) > _MOST:
            del self._targets[next(iter(self._targets))]


def is_portable(signature: Signature | None) -> bool:
    """Return whether a signature means the same in any process: its annotations and defaults use none of the user's modules."""
    return signature is None or all(
        _is_common(parameter.annotation) and serialization.is_plain(_default(parameter.default))
        for parameter in signature.parameters
    )


def _default(value: Any) -> Any:
    return None if isinstance(value, type) and _is_common(value) else value  # `inspect.Parameter.empty` is one


def _is_common(annotation: Any) -> bool:
    if typing.get_origin(annotation) is typing.Annotated:
        return False
    parts = typing.get_args(annotation)
    if parts:
        literal = typing.get_origin(annotation) is typing.Literal
        return all(serialization.is_plain(part) if literal else part is ... or _is_common(part) for part in parts)
    if annotation is None or annotation is typing.Any:
        return True
    return isinstance(annotation, type) and annotation.__module__.partition(".")[0] in sys.stdlib_module_names
