"""Load the user's modules from their current source: recompile bytecode that may be older than an edit, and hash what ran.

Python identifies bytecode by the second and the size of its source, so an edit within the same second can go unnoticed. Here,
bytecode is used only if it was written well after the last change to the source, a rule that git has for its index. Workers load
this module; it imports none of the user's code itself, and leaves the standard library and installed packages to Python.
"""

import contextlib
import os
import sys
from _thread import get_ident
from collections.abc import Iterator
from importlib.machinery import BYTECODE_SUFFIXES, ModuleSpec, SourceFileLoader
from typing import Any

from ..model.hashing import sha256

#: How long after its source bytecode must have been written, in nanoseconds: at worst, file systems store times in steps of 2 s.
_SAFE = 2_000_000_000

_STANDARD = os.path.dirname(os.__file__)
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


class Loader(SourceFileLoader):
    """A loader that trusts no bytecode that could be older than the source, and remembers what it loaded."""

    loaded: tuple[int, int, str] | None = None  #: date in nanoseconds, size and SHA-256 of the source
    _status: os.stat_result | None = None
    _digest: str | None = None

    def path_stats(self, path: str) -> dict[str, Any]:
        """Return the source's date and size; called before anything is read."""
        self._status = os.stat(path)
        return {"mtime": self._status.st_mtime, "size": self._status.st_size}

    def get_data(self, path: str) -> bytes:
        """Read a file; bytecode that can't be trusted counts as missing.

        Raises
        ------
        OSError
            If it can't be read.
        """
        if path.endswith(tuple(BYTECODE_SUFFIXES)) and self._status is not None and not _is_later(path, self._status):
            raise FileNotFoundError(path)
        return super().get_data(path)

    def source_to_code(self, data: Any, path: Any, *, _optimize: int = -1) -> Any:  # type: ignore[override] # typeshed: static
        """Compile the source that was read, and note its hash."""
        self._digest = sha256(data).hexdigest() if isinstance(data, bytes) else None
        return super().source_to_code(data, path, _optimize=_optimize)

    def get_code(self, fullname: str) -> Any:
        """Compile the source, or load its bytecode; what the first call returns is what runs."""
        self._digest = None
        code = super().get_code(fullname)
        if self.loaded is None and self._status is not None:
            self.loaded = _seen(self._status, self._digest or _digest(self.path, self._status))
        return code


def _seen(status: os.stat_result, digest: str | None) -> tuple[int, int, str] | None:
    return None if digest is None else (status.st_mtime_ns, status.st_size, digest)


def _is_later(path: str, source: os.stat_result) -> bool:
    """Return whether bytecode was written well after the last change to the source, whatever date the source has."""
    return os.stat(path).st_mtime_ns >= max(source.st_mtime_ns, source.st_ctime_ns) + _SAFE


def _digest(path: str, status: os.stat_result) -> str | None:
    """Return the hash of a file that has not changed; None if it has."""
    try:
        with open(path, "rb") as file:
            found, now = sha256(file.read()).hexdigest(), os.fstat(file.fileno())
    except OSError:
        return None
    return found if (now.st_mtime_ns, now.st_size) == (status.st_mtime_ns, status.st_size) else None


class Finder:
    """A finder that has the user's modules loaded by `Loader`; it finds what the other finders find."""

    def __init__(self) -> None:
        self._looking: set[tuple[int, str]] = set()  # by thread: another finder may ask this one again

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Find a module as the other finders do."""
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
            look = (
                None if isinstance(finder, Finder) else getattr(finder, "find_spec", None)
            )  # each `Finder` asks the same others
            spec: ModuleSpec | None = None if look is None else look(name, path, target)
            if spec is not None:
                return spec
        return None


def _is_users(path: str) -> bool:
    return not path.startswith(_STANDARD) and not any(folder in path for folder in _INSTALLED)


def install() -> None:
    """Load modules this way in this process from now on."""
    sys.meta_path.insert(0, Finder())


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Load modules this way within a block."""
    finder = Finder()
    try:
        sys.meta_path.insert(0, finder)  # in here, since an interrupt may come right after it
        yield
    finally:
        with contextlib.suppress(ValueError):  # an imported module may have removed it
            sys.meta_path.remove(finder)


def source_of(module: Any) -> list[Any] | None:
    """Return path, date in nanoseconds, size and SHA-256 of the source that a module was loaded from; None if unknown.

    Parameters
    ----------
    module : module
        An imported module; if another loader loaded it, its file as it is now counts.
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
