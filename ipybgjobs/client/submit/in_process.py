"""Run a call in this process, so that breakpoints and ``%debug`` work: the same call and parameters, with nothing recorded.

Modules of the target that have changed since they were imported are first imported again, so that it runs the code of a job.
"""

import copy
import importlib
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from ...model import serialization
from ...model.call import Call
from ...targets import inspection, resolve
from ...targets.allowlist import Permission


def prepare_call(
    permission: Permission, call: Call, pickled: bytes | None, positional: tuple[str, ...], tell: Callable[[str], None]
) -> Callable[[], Any]:
    """Return a function that runs the call.

    Parameters
    ----------
    permission : Permission
        The allowed target.
    call : Call
        The call, with converted parameters.
    pickled : bytes or None
        Pickled parameters that are not plain.
    positional : tuple of str
        Names of parameters passed by position.
    tell : callable
        Shows the user a note.

    Raises
    ------
    InvalidTarget
        If the target can't be imported.
    """
    _reimport(permission.entry.key, tell)
    with inspection.noting_imports(permission.entry.key):
        owner = resolve.resolve(permission.entry.key, permission.entry.only_from)
    init, params = copy.deepcopy(call.init), copy.deepcopy(call.params)
    sent: dict[str, Any] = {}
    groups = {serialization.INIT: init, serialization.PARAMS: params, serialization.INSTANCE: sent}
    groups[serialization.CODE] = {}  # the code itself is here
    for key, value in ({} if pickled is None else serialization.load(pickled)).items():
        part, name = serialization.split_key(key)
        groups[part][name] = value

    def run() -> Any:
        function = resolve.bound(owner, permission.method, init, sent.get(serialization.SELF))
        value = function(*[params.pop(name) for name in positional], **params)
        return _awaited(value) if resolve.is_awaited(value) else value

    return run


def _reimport(key: str, tell: Callable[[str], None]) -> None:
    names = inspection.stale(key)
    first = inspection.folders_first([f"{key}."]) if names else ()
    for name in names:
        _reload(sys.modules[name], first)
        tell(f"Note: {name} has changed since it was imported here, so it was imported again.")
    inspection.note_reimport(names)


def _reload(module: ModuleType, first: Sequence[str]) -> None:
    """Import a module again from where it was found, whatever the working directory is now."""
    sys.path[:0] = first
    try:
        importlib.reload(module)
    finally:
        if sys.path[: len(first)] == list(first):
            del sys.path[: len(first)]


def _awaited(value: Any) -> Any:
    """Return the result of an awaitable; if an event loop runs in this thread, the awaitable itself, to be awaited."""
    import asyncio  # here, since a submit needs none of it

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(_wait(value))
    return value


async def _wait(value: Any) -> Any:
    return await value
