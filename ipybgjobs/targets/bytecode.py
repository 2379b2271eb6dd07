"""Loads the user's modules as their sources are: bytecode that may be older than an edit is compiled anew; what ran is hashed.

Python knows bytecode by the second and the size of its source, so an edit within the same second can go unseen. Bytecode counts
here only if it was written well after the source had changed last, as git says of its index. Workers load it; it imports
nothing of the user's itself, and leaves the standard library and what is installed to Python.
"""

import contextlib
import hashlib
import os
import sys
from _thread import get_ident
from collections.abc import Iterator
from importlib.machinery import BYTECODE_SUFFIXES, ModuleSpec, SourceFileLoader
from typing import Any

#: How long after its source bytecode must have been written, in nanoseconds: file systems keep dates by two seconds at worst.
_SAFE = 2_000_000_000

_STANDARD = os.path.dirname(os.__file__)
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


class Loader(SourceFileLoader):
    """A loader that trusts no bytecode which could be older than the source, and remembers what it has loaded."""

    loaded: tuple[int, int, str] | None = None  #: date in nanoseconds, size and SHA-256 of the source
    _status: os.stat_result | None = None
    _digest: str | None = None

    def path_stats(self, path: str) -> dict[str, Any]:
        """Look at the source, which comes before anything is read."""
        self._status = os.stat(path)
        return {"mtime": self._status.st_mtime, "size": self._status.st_size}

    def get_data(self, path: str) -> bytes:
        """Read a file; bytecode that can't be trusted is as good as none.

        Raises
        ------
        OSError
            If it can't be read.
        """
        if path.endswith(tuple(BYTECODE_SUFFIXES)) and self._status is not None and not _is_later(path, self._status):
            raise FileNotFoundError(path)
        return super().get_data(path)

    def source_to_code(self, data: Any, path: Any, *, _optimize: int = -1) -> Any:  # type: ignore[override] # typeshed: static
        """Compile what was read, and note what that was."""
        self._digest = hashlib.sha256(data).hexdigest() if isinstance(data, bytes) else None
        return super().source_to_code(data, path, _optimize=_optimize)

    def get_code(self, fullname: str) -> Any:
        """Compile the source, or load its bytecode; the first time is the one that runs."""
        self._digest = None
        code = super().get_code(fullname)
        if self.loaded is None and self._status is not None:
            self.loaded = _seen(self._status, self._digest or _digest(self.path, self._status))
        return code


def _seen(status: os.stat_result, digest: str | None) -> tuple[int, int, str] | None:
    return None if digest is None else (status.st_mtime_ns, status.st_size, digest)


def _is_later(path: str, source: os.stat_result) -> bool:
    """Whether bytecode was written well after the source had changed last, whatever date the source bears."""
    return os.stat(path).st_mtime_ns >= max(source.st_mtime_ns, source.st_ctime_ns) + _SAFE


def _digest(path: str, status: os.stat_result) -> str | None:
    """The hash of a file that is still as it was; None where it is not."""
    try:
        with open(path, "rb") as file:
            found, now = hashlib.sha256(file.read()).hexdigest(), os.fstat(file.fileno())
    except OSError:
        return None
    return found if (now.st_mtime_ns, now.st_size) == (status.st_mtime_ns, status.st_size) else None


class Finder:
    """Has the user's modules loaded by `Loader`; it finds what the other finders do."""

    def __init__(self) -> None:
        self._looking: set[tuple[int, str]] = set()  # by thread: another finder may ask this one again

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Find a module as the others do."""
        mark = (get_ident(), name)
        if mark in self._looking:
            return None
        self._looking.add(mark)
        try:
            spec = self._found(name, path, target)
        finally:
            self._looking.discard(mark)
        if spec is not None and type(spec.loader) is SourceFileLoader and _is_users(spec.loader.path):
            spec.loader = Loader(spec.loader.name, spec.loader.path)
        return spec

    def _found(self, name: str, path: Any, target: Any) -> ModuleSpec | None:
        for finder in list(sys.meta_path):
            look = None if isinstance(finder, Finder) else getattr(finder, "find_spec", None)  # each of ours asks the same others
            spec: ModuleSpec | None = None if look is None else look(name, path, target)
            if spec is not None:
                return spec
        return None


def _is_users(path: str) -> bool:
    return not path.startswith(_STANDARD) and not any(folder in path for folder in _INSTALLED)


def install() -> None:
    """Load modules so in this process from here on."""
    sys.meta_path.insert(0, Finder())


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Load modules so within a block."""
    finder = Finder()
    try:
        sys.meta_path.insert(0, finder)  # in here, since an interrupt may come right after it
        yield
    finally:
        with contextlib.suppress(ValueError):  # what was imported may have taken it away
            sys.meta_path.remove(finder)


def source_of(module: Any) -> list[Any] | None:
    """Return path, date in nanoseconds, size and SHA-256 of the source that a module was loaded from; None where nobody can tell.

    Parameters
    ----------
    module : module
        Imported; where another loader has loaded it, its file as it is now counts.
    """
    path = getattr(module, "__file__", None)
    if not isinstance(path, str):
        return None
    path = os.path.realpath(path)
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    if isinstance(loader, Loader):
        return None if loader.loaded is None else [path, *loader.loaded]
    try:
        status = os.stat(path)
    except OSError:
        return None
    seen = _seen(status, _digest(path, status))
    return None if seen is None else [path, *seen]
