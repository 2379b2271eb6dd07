"""Inspect an allowed target: whether it exists, what it takes, and whether the given parameters fit.

Several sources give the same result. A module that this process has imported is inspected here if it is the one on disk. Nothing
else is imported here: the source text tells what a plain target takes, and of all others a separate process tells it.
"""

# ruff: noqa: ARG001 - every source takes the arguments that any of them needs

import contextlib
from collections.abc import Callable, Hashable, Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from ..configuration.settings import MAIN_MODULE
from . import (
    import_path,
    inspection_cache,
    inspection_process,
    inspection_steps,
    loaded_modules,
    module_text,
    source_text,
)
from .allowlist import Permission
from .binding import UnreadAnnotation
from .inspection_steps import InspectionRequest, InspectionResult
from .loaded_modules import Imports
from .target_signature import TargetSignature

_imports: Imports | None = None
_target_cache = inspection_cache.TargetCache()

#: This package, whose own classes a submit may import.
_OWN = __package__.partition(".")[0]


class _Known(Struct, frozen=True):
    """A signature that was read or returned earlier, with the modules that it was read from, each with its file."""

    signature: TargetSignature
    files: tuple[tuple[str, str], ...] = ()


def inspect(request: InspectionRequest, tell: Callable[[str], None] = lambda _: None) -> InspectionResult:
    """Inspect a target and the calls of a request, using the first source that can.

    Parameters
    ----------
    request : InspectionRequest
        The target and the calls.
    tell : callable
        Shows the user a line if it takes long.

    Raises
    ------
    InvalidTarget
        If the target can't be imported or called.
    InvalidParameters
        If the parameters don't fit.
    JobNotAllowed
        If the module is found outside the one folder that is allowed.
    """
    prefix = _path_prefix(request.permission)
    found = next(filter(None, (source(request, prefix, tell) for source in _SOURCES)))
    return replace(found, path_prefix=prefix) if prefix else found


def _path_prefix(permission: Permission) -> tuple[str, ...]:
    """Return the folders that go first on a job's import path, so that it finds what this process has imported."""
    if permission.by_value or permission.entry.only_from is not None:
        return ()
    return import_path.folders_first([permission.entry.key])


#: Shows the user a line.
_Tell = Callable[[str], None]

#: A source: it returns the result of a request, given the folders that go first on the import path; None if it can't.
_Source = Callable[[InspectionRequest, tuple[str, ...], _Tell], InspectionResult | None]


def _loaded_module(request: InspectionRequest, prefix: tuple[str, ...], tell: _Tell) -> InspectionResult | None:
    """Inspect the module that this process has imported, if it is the one on disk."""
    entry = request.permission.entry
    if request.code or entry.only_from is not None:
        return None
    if request.permission.by_value or entry.key.partition(".")[0] == _OWN:
        return inspection_steps.inspect_here(request)
    if not loaded_modules.is_loaded(entry.key, request.permission.method) or not _known_imports().is_current(entry.key):
        return None
    try:
        return inspection_steps.inspect_here(request)
    finally:
        _known_imports().note(entry.key)  # even if the parameters don't fit


def _signature(request: InspectionRequest, prefix: tuple[str, ...], tell: _Tell) -> InspectionResult | None:
    """Bind by a signature that is known or can be read from the source."""
    if request.code:
        return None
    path = (*prefix, *import_path.absolute())
    signature = _known_signature(request.permission, path) or _read_signature(request.permission, path)
    try:
        return None if signature is None else inspection_steps.inspect_by_signature(request, signature)
    except UnreadAnnotation:
        return None


def _known_signature(permission: Permission, path: tuple[str, ...]) -> TargetSignature | None:
    """Return what was found out earlier, if its files are unchanged and no other file has taken their place."""
    known: _Known | None = _target_cache.get(_key(permission, path))
    return known.signature if known is not None and module_text.is_found_again(known.files, path) else None


def _read_signature(permission: Permission, path: tuple[str, ...]) -> TargetSignature | None:
    answer = source_text.read(permission, path)
    if answer is None:
        return None
    _target_cache.put(_key(permission, path), _Known(answer.signature, answer.files), answer.stamps)
    return answer.signature


def _separate_process(request: InspectionRequest, prefix: tuple[str, ...], tell: _Tell) -> InspectionResult:
    """Have a separate process inspect."""
    answer = inspection_process.inspect(request, prefix, tell)
    if answer.kept is not None and not request.code:
        path = (*prefix, *import_path.absolute())
        _target_cache.put(_key(request.permission, path), _Known(answer.kept), answer.files)
    return answer.inspected


#: The sources, cheapest first; the last one always returns a result.
_SOURCES: tuple[_Source, ...] = (_loaded_module, _signature, _separate_process)


def _key(permission: Permission, path: tuple[str, ...]) -> Hashable:
    return (permission.target, permission.entry.only_from, *path)


def _known_imports() -> Imports:
    global _imports  # noqa: PLW0603 - one record of imports per process
    _imports = _imports or Imports()
    return _imports


def folders_first(targets: Iterable[str]) -> tuple[str, ...]:
    """Return the folders that go first on the import path of jobs, so that they find what this process has imported."""
    keys = (target.rpartition(".")[0] for target in targets)
    return import_path.folders_first(key for key in keys if key.partition(".")[0] != MAIN_MODULE)


def stale(key: str) -> list[str]:
    """Return the imported modules of a class that have since changed on disk, those of the bases first."""
    imported = _imports or Imports()
    return [name for name in loaded_modules.bases_first(key) if name != MAIN_MODULE and not imported.is_module_current(name)]


def note_reimport(names: Iterable[str]) -> None:
    """Record that modules were imported here again."""
    if _imports is not None:
        _imports.renew(names)


@contextlib.contextmanager
def noting_imports(key: str) -> Iterator[None]:
    """Record which modules of a class a block imports here for the first time."""
    before = loaded_modules.modules(key)
    yield
    _known_imports().renew(loaded_modules.modules(key) - before)
