"""Track which modules of a target this process has imported, and whether they still match the files on disk.

A module is compared by the date of its source, and if that differs by content: a file that was only touched has not changed.
"""

import os
import sys
import types
from collections.abc import Iterable
from importlib.machinery import PathFinder
from typing import Any

from ..system import identity
from . import bytecode, source


class Imports:
    """When modules were imported here, as far as is known: the date of their source when first checked."""

    def __init__(self) -> None:
        self._dates: dict[str, int] = {}
        self._digests: dict[str, str] = {}
        self._process_started = identity.started_ns()

    def is_current(self, key: str) -> bool:
        """Return whether what this process would inspect matches the source on disk."""
        return all(self.is_module_current(name) for name in modules(key))

    def is_module_current(self, name: str) -> bool:
        """Return whether the module that this process has imported matches the file on disk."""
        date = _source_date(sys.modules[name])
        if date is None:
            return True
        if name not in self._dates:
            return date < self._process_started
        if date != self._dates[name] and self._is_the_same(name):
            self._dates[name] = date  # it was touched, but not edited
        return date == self._dates[name]

    def _is_the_same(self, name: str) -> bool:
        now = source.read(sys.modules[name].__file__)
        return now is not None and now.digest == self._digests.get(name)

    def note(self, key: str) -> None:
        """Remember the dates of modules that were current when inspected."""
        for name in modules(key):
            if name not in self._dates:
                self._remember(name)

    def renew(self, names: Iterable[str]) -> None:
        """Remember the dates of modules that were imported again."""
        for name in names:
            self._remember(name)

    def _remember(self, name: str) -> None:
        date, loaded = _source_date(sys.modules[name]), bytecode.source_of(sys.modules[name])
        if date is not None:
            self._dates[name] = date
            self._digests[name] = "" if loaded is None else loaded[-1]


def is_loaded(key: str, method: str) -> bool:
    """Return whether this process can inspect a target without importing a module.

    Parameters
    ----------
    key : str
        The class, or the module of a function.
    method : str
        The method or function.
    """
    first, *names = key.split(".")
    found, path = sys.modules.get(first), first
    for name in names:
        path = f"{path}.{name}"
        if found is None or _is_to_import(found, name, path):
            return False
        found = sys.modules.get(path, None) if hasattr(found, "__path__") and path in sys.modules else getattr(found, name, None)
    return found is not None and not _is_lazy(found, method)


def _is_to_import(found: Any, name: str, path: str) -> bool:
    """Return whether a name of a loaded module or class is a submodule that is not loaded, or may become one when it is used."""
    if not isinstance(found, types.ModuleType) or path in sys.modules:
        return False
    if hasattr(found, "__path__") and PathFinder.find_spec(path, list(found.__path__)) is not None:
        return True
    return _is_lazy(found, name)


def _is_lazy(found: Any, name: str) -> bool:
    return isinstance(found, types.ModuleType) and name not in vars(found) and "__getattr__" in vars(found)


def _prefixes(key: str) -> list[str]:
    parts = key.split(".")
    return [".".join(parts[:length]) for length in range(len(parts), 0, -1)]


def modules(key: str) -> set[str]:
    """Return the imported modules that a target is made of: its own, and those of its class's bases."""
    return set(bases_first(key))


def bases_first(key: str) -> list[str]:
    """Return the same modules, each once, those of the bases first."""
    name = next((part for part in _prefixes(key) if part in sys.modules), None)
    if name is None:
        return []
    found: Any = sys.modules[name]
    for part in key[len(name) + 1 :].split("."):
        found = getattr(found, part, None)
    bases = [base.__module__ for base in reversed(getattr(found, "__mro__", ()))]
    return list(dict.fromkeys([*(module for module in bases if module in sys.modules), name]))


def _source_date(module: Any) -> int | None:
    try:
        return os.stat(module.__file__).st_mtime_ns
    except (AttributeError, TypeError, OSError):
        return None
