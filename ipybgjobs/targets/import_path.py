"""The import path that a job gets: the caller's, so that the job finds the same module that the caller has imported.

A relative entry of ``sys.path`` (a kernel's ``''``) means another folder after ``%cd``: then the folder in which the module was
found goes first, or the error says why no folder would do. It looks for modules, and never imports one.
"""

import os
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

from ..errors import InvalidTarget


def absolute() -> tuple[str, ...]:
    """Return ``sys.path`` as absolute paths, resolved in the working directory; Python ignores entries that are not text."""
    cwd = os.getcwd()
    return tuple(os.path.abspath(os.path.join(cwd, folder)) for folder in sys.path if isinstance(folder, str))


def folders_first(keys: Iterable[str]) -> tuple[str, ...]:
    """Return the folders that must go first, so that a job finds the modules that this process has imported.

    Parameters
    ----------
    keys : iterable of str
        Dotted paths of classes or modules, as in the allowlist.

    Raises
    ------
    InvalidTarget
        If no folder leads to one of the modules.
    """
    folders = map(_folder_first, dict.fromkeys(keys))
    return tuple(dict.fromkeys(folder for folder in folders if folder is not None))


def _folder_first(key: str) -> str | None:
    name = _imported(key)
    if name is None or not _has_own_name(sys.modules[name], name) or not _is_somewhere():
        return None
    path, given = absolute(), str(sys.modules[name].__file__)
    found, file = where(name, path), os.path.realpath(given)
    if found == file:
        return None
    folder = _root(name, file)
    if where(name, (folder, *path)) == file:
        return folder
    instead = "would not find it" if found is None else f"would find {found}"
    raise InvalidTarget(
        f"{name} was imported here from {given}, but a job started in {os.getcwd()} {instead}: "
        "restart the kernel and import it again, so that both use the same file."
    )


def _imported(key: str) -> str | None:
    """Return the module of a class or function, or its nearest package, that this process has imported."""
    parts = key.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((name for name in names if name in sys.modules), None)


def _has_own_name(module: Any, name: str) -> bool:
    """Return whether a module comes from a file and was found by this name: ``os.path`` was not."""
    return isinstance(getattr(module, "__file__", None), str) and getattr(module.__spec__, "name", None) == name


def _is_somewhere() -> bool:
    """Return whether this process's working directory exists; a missing one is reported elsewhere at submit."""
    try:
        os.getcwd()
    except OSError:
        return False
    return True


def _root(name: str, file: str) -> str:
    """Return the folder in which the first part of a module's name is found."""
    levels = name.count(".") + (2 if os.path.basename(file).partition(".")[0] == "__init__" else 1)
    for _ in range(levels):
        file = os.path.dirname(file)
    return file


def where(name: str, path: Sequence[str]) -> str | None:
    """Return the file that an import of a module would find on a path."""
    parts, search = name.split("."), list(path)
    found: ModuleSpec | None = None
    for length in range(1, len(parts) + 1):
        found = spec(".".join(parts[:length]), search)
        if found is None:
            return None
        search = list(found.submodule_search_locations or ())
    return None if found is None or found.origin is None else os.path.realpath(found.origin)


def spec(name: str, search: list[str]) -> ModuleSpec | None:
    """Return what is on the path, or what a finder of an editable installation, which a job's process has too, knows."""
    found = PathFinder.find_spec(name, search)
    if found is not None:
        return found
    others = [finder for finder in list(sys.meta_path) if finder is not PathFinder]
    asked = (_found_by(finder, name, search if "." in name else None) for finder in others)
    return next((each for each in asked if each is not None), None)


def _found_by(finder: Any, name: str, path: list[str] | None) -> ModuleSpec | None:
    """Return what a finder finds, except what Python's finders only remember for a relative entry of the path."""
    look = getattr(finder, "find_spec", None)
    try:
        found: ModuleSpec | None = None if look is None else look(name, path, None)
    except (ImportError, OSError):  # for example, an archive that is not in this folder
        return None
    is_relative = found is not None and found.has_location and not os.path.isabs(found.origin or os.sep)
    return None if is_relative else found
