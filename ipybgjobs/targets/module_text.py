"""Find modules along an import path by the file system, and read their texts: no module and no package is imported.

A module that Python may find elsewhere, or whose package may lead elsewhere once it runs, is not plain.
"""

import ast
import hashlib
import os
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec
from typing import Any

from msgspec import Struct

from . import import_path, scope_text
from .scope_text import NotPlain, ScopeText

#: Largest text that is read, in bytes: parsing a larger one takes longer than it is worth.
_LARGEST = 400_000

_STANDARD = os.path.dirname(os.path.realpath(os.__file__))

#: By these, a package may change where its modules are found.
_LEADING = (b"__path__", b"sys.modules")

#: This package's own classes have permissions of their own, which depend on the class itself.
_OWN = __package__.partition(".")[0]


class ModuleText(Struct, frozen=True):
    """The text of a module.

    Parameters
    ----------
    name : str
        Its dotted name.
    file : str
        Its file, all links followed.
    stamp : tuple
        File, date in nanoseconds, size and SHA-256, as `bytecode.source_of`.
    is_package : bool
        Whether it is a package.
    leads : bool
        Whether, as a package, it may change where its modules are found.
    scope : ScopeText
        What it binds.
    """

    name: str
    file: str
    stamp: tuple[str, int, int, str]
    is_package: bool
    leads: bool
    scope: ScopeText

    def absolute(self, level: int, name: str | None) -> str:
        """Return the dotted name of what a ``from`` statement in it imports from."""
        if not level:
            return name or ""
        parts = self.name.split(".")
        parts = parts[: len(parts) - level + self.is_package]
        return ".".join([*parts, *([name] if name else [])])


class ModuleTexts:
    """The modules of one look at a target, each found and read once.

    Parameters
    ----------
    path : sequence of str
        The job's import path.
    """

    def __init__(self, path: Sequence[str]) -> None:
        self._path = list(path)
        self._specs: dict[str, ModuleSpec | None] = {}
        self._texts: dict[str, ModuleText] = {}

    @property
    def stamps(self) -> tuple[list[Any], ...]:
        """Return the stamps of all files that were read."""
        return tuple(list(text.stamp) for text in self._texts.values())

    @property
    def files(self) -> tuple[tuple[str, str], ...]:
        """Return each module that was read with its file."""
        return tuple((text.name, text.file) for text in self._texts.values())

    def spec(self, name: str) -> ModuleSpec | None:
        """Return where a module is found, its packages read but not imported; None if nowhere.

        Raises
        ------
        NotPlain
            If the texts do not tell.
        """
        if name not in self._specs:
            self._specs[name] = self._found(name)
        return self._specs[name]

    def _found(self, name: str) -> ModuleSpec | None:
        parent = name.rpartition(".")[0]
        try:
            return import_path.spec(name, self._locations(parent) if parent else self._path)
        except (KeyError, OSError) as error:  # a folder without __init__.py, in another one that is not imported
            raise NotPlain(name) from error

    def _locations(self, package: str) -> list[str]:
        spec = self.spec(package)
        if spec is None or spec.submodule_search_locations is None:
            return []
        if spec.origin is not None and self.text(package).leads:
            raise NotPlain(package)
        return list(spec.submodule_search_locations)

    def text(self, name: str) -> ModuleText:
        """Return the text of a module.

        Raises
        ------
        NotPlain
            If it has no file of Python's text, or is not found.
        """
        if name not in self._texts:
            self._texts[name] = _read(name, self.spec(name))
        return self._texts[name]


def _read(name: str, spec: ModuleSpec | None) -> ModuleText:
    if spec is None or not spec.has_location or not str(spec.origin).endswith(".py"):
        raise NotPlain(name)
    file = os.path.realpath(str(spec.origin))
    if not _has_its_own_name(name.partition(".")[0], file):
        raise NotPlain(name)
    stamp, content = _content(name, file)
    leads = any(word in content for word in _LEADING)
    return ModuleText(name, file, stamp, spec.submodule_search_locations is not None, leads, _scope(name, content))


def _has_its_own_name(first: str, file: str) -> bool:
    """Return whether a module of this package or of the standard library, which may be loaded, can't be in its place."""
    return first != _OWN and (first not in sys.stdlib_module_names or file.startswith(_STANDARD + os.sep))


def _content(name: str, file: str) -> tuple[tuple[str, int, int, str], bytes]:
    try:
        with open(file, "rb") as source:
            status = os.fstat(source.fileno())
            content = source.read(_LARGEST + 1)
    except OSError as error:
        raise NotPlain(name) from error
    if len(content) > _LARGEST or len(content) != status.st_size:
        raise NotPlain(name)
    return (file, status.st_mtime_ns, status.st_size, hashlib.sha256(content).hexdigest()), content


def _scope(name: str, content: bytes) -> ScopeText:
    try:
        return scope_text.of_module(ast.parse(content))
    except (SyntaxError, ValueError, RecursionError, MemoryError, SystemError) as error:  # the last: two threads of Python 3.11
        raise NotPlain(name) from error


def is_found_again(files: Iterable[tuple[str, str]], path: Sequence[str]) -> bool:
    """Return whether modules are still found in the same files along a path."""
    return all(import_path.where(name, path) == file for name, file in files)
