"""What a target demands beyond its entry in `allowed_jobs`: decided by class and function, since a class can have several names.

It considers only what is imported, and imports nothing; `allowlist` decides whether a demand is met. Workers load it.
"""

import sys
from collections.abc import Callable, Collection
from typing import Any

from ..errors import JobNotAllowed

#: Runs code from a notebook: `allow_notebook_code` must be on.
CODE = "code"

#: Runs a notebook: its parameter `path` must match a pattern of `allowed_notebooks`.
NOTEBOOK = "notebook"

#: Classes of this package that run other people's code, by the module that defines them.
_RUNNERS = (("ipybgjobs.notebooks.cell", "Cell", CODE), ("ipybgjobs.notebooks.job", "Notebook", NOTEBOOK))


def of(owner: Any, method: str) -> str | None:
    """Return what a call to a method of a class, or to a function of a module, demands; None if nothing.

    Parameters
    ----------
    owner : type or module
        The class, or the module of a function.
    method : str
        The name of the method or function.
    """
    called = getattr(owner, method, None)
    for module, name, demand in _RUNNERS:
        runner = getattr(sys.modules.get(module), name, None)  # a class that is not imported can't be called
        if runner is not None and (_is_or_inherits(owner, runner) or _leads_to(called, runner, module)):
            return demand
    return None


def check(owner: Any, method: str, permits: Collection[str]) -> None:
    """Check that what a call demands is permitted.

    Raises
    ------
    JobNotAllowed
        If it is not.
    """
    demand = of(owner, method)
    if demand is not None and demand not in permits:
        raise JobNotAllowed(_REFUSALS[demand].format(f"{getattr(owner, '__qualname__', owner.__name__)}.{method}"))


_REFUSALS = {
    CODE: "{} runs the code of a cell, which only c.BackgroundJobs.allow_notebook_code = True allows; it is off.",
    NOTEBOOK: "{} runs a notebook, but its parameter path matches no pattern in BackgroundJobs.allowed_notebooks.",
}


def _is_or_inherits(value: Any, runner: type) -> bool:
    return isinstance(value, runner) or (isinstance(value, type) and issubclass(value, runner))


def _leads_to(called: Any, runner: type, module: str) -> bool:
    """Return whether a function is the class's own, or is bound to the class or an instance, however it is wrapped."""
    seen = 0
    while called is not None and seen < _DEEPEST:
        if _is_or_inherits(called, runner) or _is_or_inherits(getattr(called, "__self__", None), runner):
            return True
        if getattr(called, "__module__", None) == module and str(getattr(called, "__qualname__", "")).startswith(runner.__name__):
            return True
        called, seen = _unwrapped(called), seen + 1
    return False


#: Most wrappers around a function that are unwrapped.
_DEEPEST = 20


def _unwrapped(called: Any) -> Callable[..., Any] | None:
    """Return what a bound method, a partial or a decorated function calls."""
    names = ("__func__", "func", "__wrapped__")
    return next((getattr(called, name) for name in names if hasattr(called, name)), None)
