"""Acts the moment the job has imported a module, and costs nothing where it never does.

A finder in front of the others lets them find the module, and calls back once it has been executed.
"""

import contextlib
import sys
from collections.abc import Callable
from typing import Any


class OnImport:
    """A finder that calls functions once modules have been imported.

    Parameters
    ----------
    actions : dict of str to callable
        What to call, by module name; each at most once.
    """

    def __init__(self, actions: dict[str, Callable[[], None]]) -> None:
        self._actions = actions

    def install(self) -> None:
        """Look at every import from here on."""
        sys.meta_path.insert(0, self)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Find a module as the others do; one that is waited for gets a loader that calls back."""
        if name not in self._actions:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader, self._actions.pop(name))  # type: ignore[assignment] # it does what the other does
                return spec
        return None


class _Loader:
    """Another loader, and a call after it."""

    def __init__(self, loader: Any, action: Callable[[], None]) -> None:
        self._loader = loader
        self._action = action

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        with contextlib.suppress(Exception):  # what we add must not keep the job from importing
            self._action()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
