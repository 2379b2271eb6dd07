"""Inspect an allowed target: whether it exists, what it takes, and whether the given parameters fit.

Several sources give the same result. It inspects in this process if possible. If the source has changed since it was imported
here, or if the module is allowed from one folder only, a separate process inspects it: so an edited .py beside the notebook is
used as it is, and nothing is reloaded here.
"""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace

from ..configuration.settings import MAIN_MODULE
from . import import_path, inspection_cache, inspection_process, inspection_steps, loaded_modules
from .allowlist import Permission
from .inspection_steps import InspectionRequest, InspectionResult
from .loaded_modules import Imports

_imports: Imports | None = None
_target_cache = inspection_cache.TargetCache()


def inspect(request: InspectionRequest) -> InspectionResult:
    """Inspect a target and the calls of a request, using the first source that can.

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
    found = next(filter(None, (source(request, prefix) for source in _SOURCES)))
    return replace(found, path_prefix=prefix) if prefix else found


def _path_prefix(permission: Permission) -> tuple[str, ...]:
    """Return the folders that go first on a job's import path, so that it finds what this process has imported."""
    if permission.by_value or permission.entry.only_from is not None:
        return ()
    return import_path.folders_first([permission.entry.key])


#: A source: it returns the result of a request, given the folders that go first on the import path; None if it can't.
_Source = Callable[[InspectionRequest, tuple[str, ...]], InspectionResult | None]


def _loaded_module(request: InspectionRequest, _: tuple[str, ...]) -> InspectionResult | None:
    """Inspect the module that this process has imported, or imports now, if it is the one on disk."""
    entry = request.permission.entry
    if request.code or entry.only_from is not None:
        return None
    if request.permission.by_value:
        return inspection_steps.inspect_here(request)
    if not _known_imports().is_current(entry.key):
        return None
    try:
        return inspection_steps.inspect_here(request)
    finally:
        _known_imports().note(entry.key)  # even if the parameters don't fit: the module has been imported


def _known_signature(request: InspectionRequest, prefix: tuple[str, ...]) -> InspectionResult | None:
    """Bind by a signature that a separate process returned earlier, if its files are unchanged."""
    signature = None if request.code else _target_cache.get(_key(request.permission, prefix))
    return None if signature is None else inspection_steps.inspect_by_signature(request, signature)


def _separate_process(request: InspectionRequest, prefix: tuple[str, ...]) -> InspectionResult:
    """Have a separate process inspect."""
    answer = inspection_process.inspect(request, prefix)
    if answer.files and not request.code:
        _target_cache.put(_key(request.permission, prefix), answer.inspected.signature, answer.files)
    return answer.inspected


#: The sources, cheapest first; the last one always returns a result.
_SOURCES: tuple[_Source, ...] = (_loaded_module, _known_signature, _separate_process)


def _key(permission: Permission, prefix: tuple[str, ...]) -> Hashable:
    return (permission.target, permission.entry.only_from, prefix, *import_path.absolute())


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
