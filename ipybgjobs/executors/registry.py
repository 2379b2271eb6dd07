"""The executors, by name; each is loaded on first use. It never launches anything."""

import importlib
from typing import TYPE_CHECKING, Any, Protocol

from ..state.folder import StateFolder

if TYPE_CHECKING:
    from .executor import Executor

#: The executor that runs attempts by default.
DEFAULT = "local"

#: Where each executor is, in the form of an entry point, so that no import names one.
_PLACES = {"local": "ipybgjobs.executors.local.executor:LocalExecutor"}

#: What some start while the supervisor has loaded next to nothing, in the same form.
_BEGINNINGS = {"local": "ipybgjobs.executors.local.server_process:begin"}


def names() -> tuple[str, ...]:
    """Return the names of all executors."""
    return tuple(_PLACES)


class Begun(Protocol):
    """What an executor has started before it exists."""

    def close(self) -> None:
        """Let it exit: there will be no executor."""


def begin(name: str, folder: StateFolder) -> Begun | None:
    """Start what an executor needs and what is best started by a process that has loaded next to nothing; pass it to `create`."""
    place = _BEGINNINGS.get(name)
    if place is None:
        return None
    begun: Begun | None = _load(place)(folder)
    return begun


def create(name: str, folder: StateFolder, begun: Begun | None = None) -> "Executor":
    """Return a new executor for a state folder.

    Parameters
    ----------
    name : str
        Its name.
    folder : StateFolder
        The state folder.
    begun : Begun, optional
        What `begin` returned.

    Raises
    ------
    KeyError
        If there is no executor of that name.
    """
    made: Executor = _load(_PLACES[name])(folder, begun)
    return made


def _load(place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)
