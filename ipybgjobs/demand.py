"""What a target demands beyond its entry in `allowed_jobs`: told by the class and the function, since a class has several names.

It looks at what was imported, and imports nothing; whether a demand is met is decided by `allowlist`. Workers load it.
"""

import sys
from collections.abc import Callable, Collection
from typing import Any

from .errors import JobNotAllowed

#: Runs code that stands in a notebook: `allow_notebook_code` must be on.
CODE = "code"

#: Runs a notebook: a pattern of `allowed_notebooks` must fit its parameter `path`.
NOTEBOOK = "notebook"

#: Our classes that run what others have written, by the module that defines them.
_RUNNERS = (("ipybgjobs.cell", "Cell", CODE), ("ipybgjobs.notebooks.job", "Notebook", NOTEBOOK))


def of(owner: Any, method: str) -> str | None:
    """Return what calling a method of a class, or a function of a module, demands; None where it demands nothing.

    Parameters
    ----------
    owner : type or module
        The class, or the module of a function.
    method : str
        The name of the method or function.
    """
    called = getattr(owner, method, None)
    for module, name, demand in _RUNNERS:
        runner = getattr(sys.modules.get(module), name, None)  # what was not imported is called by nobody
        if runner is not None and (_is_one(owner, runner) or _leads_to(called, runner, module)):
            return demand
    return None


def check(owner: Any, method: str, permits: Collection[str]) -> None:
    """See to it that what a call demands is permitted.

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


def _is_one(value: Any, runner: type) -> bool:
    return isinstance(value, runner) or (isinstance(value, type) and issubclass(value, runner))


def _leads_to(called: Any, runner: type, module: str) -> bool:
    """Whether a function is our class's own, or is bound to the class or to an instance, however it is wrapped."""
    seen = 0
    while called is not None and seen < _DEEPEST:
        if _is_one(called, runner) or _is_one(getattr(called, "__self__", None), runner):
            return True
        if getattr(called, "__module__", None) == module and str(getattr(called, "__qualname__", "")).startswith(runner.__name__):
            return True
        called, seen = _inside(called), seen + 1
    return False


#: Wrappers around a function that are looked through.
_DEEPEST = 20


def _inside(called: Any) -> Callable[..., Any] | None:
    """What a bound method, a partial or a decorated function calls."""
    names = ("__func__", "func", "__wrapped__")
    return next((getattr(called, name) for name in names if hasattr(called, name)), None)
