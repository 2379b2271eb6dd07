"""Act as soon as the job has imported a module, at no cost if it never does.

A finder in front of the others lets them find the module, and calls back once it has been executed; just looking for it does
nothing.
"""

import contextlib
import sys
from _thread import get_ident
from collections.abc import Callable
from typing import Any


class OnImport:
    """A finder that calls functions once modules have been imported.

    Parameters
    ----------
    actions : dict of str to callable
        Functions to call, by module name; each is called at most once.
    """

    def __init__(self, actions: dict[str, Callable[[], None]]) -> None:
        self.actions = actions
        self._looking: set[tuple[int, str]] = set()  # by thread: another finder may call this one again

    def install(self) -> None:
        """Watch every import from now on."""
        sys.meta_path.insert(0, self)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Find a module through the other finders; a watched module gets a loader that calls back."""
        mark = (get_ident(), name)
        if name not in self.actions or mark in self._looking:
            return None
        self._looking.add(mark)
        try:
            spec = self._found(name, path, target)
        finally:
            self._looking.discard(mark)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, name, self.actions)
        return spec

    def _found(self, name: str, path: Any, target: Any) -> Any:
        for finder in list(sys.meta_path):
            look = None if finder is self else getattr(finder, "find_spec", None)
            spec = None if look is None else look(name, path, target)
            if spec is not None:
                return spec
        return None


class _Loader:
    """Wraps another loader, and calls a function afterwards."""

    def __init__(self, loader: Any, name: str, actions: dict[str, Callable[[], None]]) -> None:
        self._loader = loader
        self._name = name
        self._actions = actions

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        action = self._actions.pop(self._name, None)
        with contextlib.suppress(Exception):  # our additions must not break the job's imports
            if action is not None:
                action()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
