"""The executors, by name; each is loaded on first use. It never launches anything."""

import importlib
from typing import TYPE_CHECKING

from ..state.folder import StateFolder
from .executor import Executor

if TYPE_CHECKING:
    from collections.abc import Callable

#: The executor that runs attempts by default.
DEFAULT = "local"

#: Where each executor is, in the form of an entry point, so that no import names one.
_PLACES = {"local": "ipybgjobs.executors.local.executor:LocalExecutor"}


def names() -> tuple[str, ...]:
    """Return the names of all executors."""
    return tuple(_PLACES)


def create(name: str, folder: StateFolder) -> Executor:
    """Return a new executor for a state folder.

    Raises
    ------
    KeyError
        If there is no executor of that name.
    """
    module, _, attribute = _PLACES[name].partition(":")
    make: Callable[[StateFolder], Executor] = getattr(importlib.import_module(module), attribute)
    return make(folder)
