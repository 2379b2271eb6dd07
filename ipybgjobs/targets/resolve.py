"""Turn a dotted path into the class, module or function that it names; imports the user's module.

Its callers have checked the allowlist. Workers load it, so it imports next to nothing.
"""

import importlib
import importlib.machinery
import os
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import InvalidTarget, JobNotAllowed
from ..model import serialization
from ..system.worker import Terminated


def resolve(key: str, only_from: str | None = None) -> Any:
    """Import the module of a class and return the class; or return the module, if the key names one.

    Parameters
    ----------
    key : str
        Dotted path, as in the allowlist.
    only_from : str, optional
        Folder in which the module must be found; one found anywhere else is refused without importing it.

    Raises
    ------
    InvalidTarget
        If it can't be imported or has no such name.
    JobNotAllowed
        If it is found outside `only_from`.
    """
    first, *rest = key.split(".")
    if only_from is not None:
        _prefer(first, only_from)
    found = _import(first)
    path = first
    for name in rest:
        path = f"{path}.{name}"
        if only_from is not None:
            _check_submodule(found, path, only_from)
        found = _step(found, name, path)
    if only_from is not None:
        _check_place(found, key, only_from)
    return found


def define(code: Mapping[str, bytes]) -> None:
    """Give ``__main__`` the classes and functions that were sent by value."""
    for name, content in code.items():
        setattr(sys.modules["__main__"], name, serialization.load(content))


def _step(parent: Any, name: str, path: str) -> Any:
    """Return a submodule, which takes precedence over an attribute of the same name, or an attribute."""
    if hasattr(parent, "__path__"):
        submodule = _import(path, optional=True)
        if submodule is not None:
            return submodule
    try:
        return getattr(parent, name)
    except AttributeError:
        where = "the notebook" if parent is sys.modules.get("__main__") else parent.__name__
        raise InvalidTarget(f"{path.removeprefix('__main__.')} does not exist: {where} has no {name}.") from None


def _import(name: str, *, optional: bool = False) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if optional and error.name == name:
            return None
        if error.name == name:
            raise InvalidTarget(
                f"There is no module {name} on the job's path ({os.getcwd()} and sys.path): "
                "put it beside the notebook, or install it."
            ) from None
        raise InvalidTarget(f"{name} can't be imported: {error}.") from error
    except (KeyboardInterrupt, Terminated):  # meant for the importing code
        raise
    except BaseException as error:  # SystemExit too: a module that exits can't be imported
        said = f"sys.exit({error.code!r})" if isinstance(error, SystemExit) else str(error)
        raise InvalidTarget(f"{name} can't be imported: {type(error).__name__}: {' '.join(said.split())}.") from error


def _prefer(module: str, folder: str) -> None:
    """Find the module in the folder before any of it runs, and put the folder first on the path."""
    found = importlib.machinery.PathFinder.find_spec(module, [folder])
    if found is None:
        raise JobNotAllowed(f"{module} is allowed only from {folder}, but does not exist there.")
    if found.origin is None:  # a folder without __init__.py would be merged with others of the same name
        raise JobNotAllowed(f"{module} is allowed only from {folder}, where it needs an __init__.py.")
    _check_origin(found.origin, module, folder)
    sys.path.insert(0, folder)


def _check_submodule(parent: Any, path: str, folder: str) -> None:
    """Check that a submodule that is about to be imported is in the folder."""
    search = getattr(parent, "__path__", None)
    found = None if search is None else importlib.machinery.PathFinder.find_spec(path, list(search))
    if found is None:
        return
    for origin in [found.origin] if found.origin else list(found.submodule_search_locations or [""]):
        _check_origin(origin, path, folder)


def _check_origin(origin: str, path: str, folder: str) -> None:
    place = os.path.realpath(origin) if origin else ""
    if not place.startswith(os.path.join(folder, "")):
        raise JobNotAllowed(f"{path} is allowed only from {folder}, but it was found in {place or 'no file'}.")


def _check_place(found: Any, key: str, folder: str) -> None:
    module = found if hasattr(found, "__spec__") else sys.modules.get(getattr(found, "__module__", ""))
    _check_origin(getattr(module, "__file__", None) or "", key, folder)


def static_attribute(owner: Any, name: str) -> Any:
    """Return an attribute as defined in a class or one of its bases, unbound.

    Raises
    ------
    InvalidTarget
        If there is none.
    """
    for holder in getattr(owner, "__mro__", (owner,)):
        if name in vars(holder):
            return vars(holder)[name]
    raise InvalidTarget(f"{owner.__name__} has no {'method' if isinstance(owner, type) else 'function'} {name}.")


def needs_instance(owner: Any, name: str) -> bool:
    """Return whether the class must be instantiated to call the method.

    Raises
    ------
    InvalidTarget
        If there is no such attribute, or it can't be called.
    """
    attribute = static_attribute(owner, name)
    if isinstance(attribute, (staticmethod, classmethod)):
        return False
    if not callable(attribute):
        raise InvalidTarget(f"{owner.__name__}.{name} can't be called: it is of type {type(attribute).__name__}.")
    return isinstance(owner, type)


def bound(owner: Any, name: str, init: dict[str, Any], instance: Any = None) -> Callable[..., Any]:
    """Return what to call: a function, or the method of an instance, which is a new one unless one was sent.

    Raises
    ------
    InvalidTarget
        If there is no such method, or the instance that was sent is one of another class.
    """
    if instance is not None:
        owner = checked(instance, owner)
    elif needs_instance(owner, name):
        owner = owner(**init)
    method: Callable[..., Any] = getattr(owner, name)
    return method


def checked(instance: Any, owner: Any) -> Any:
    """Return an instance that was sent.

    Raises
    ------
    InvalidTarget
        If it is not one of the class that the job names.
    """
    if isinstance(owner, type) and issubclass(type(instance), owner):
        return instance
    raise InvalidTarget(f"The instance that was sent is a {type(instance).__qualname__}, but the job names {owner.__name__}.")


def is_awaited(value: Any) -> bool:
    """Return whether a method's result is awaited, such as a coroutine; never a handle to a job, which might be this same job.

    Its type is checked, as ``await`` does: a proxy may raise on any access.
    """
    kind = type(value)
    handle: Any = sys.modules.get("ipybgjobs.client.jobs.job")
    awaitable = any("__await__" in vars(base) for base in type.mro(kind))
    return awaitable and not (handle is not None and issubclass(kind, handle.Job))


def module_of(owner: Any) -> Any:
    """Return the module that defines a class, or the module itself; None if there is none."""
    return sys.modules.get(getattr(owner, "__module__", "")) if isinstance(owner, type) else owner


def source_file(owner: Any) -> str | None:
    """Return the file that defines a class, or the file of a module; None if there is none."""
    path = getattr(module_of(owner), "__file__", None)
    return os.path.realpath(path) if isinstance(path, str) else None


#: An optional class method: called with a method's name and parameters at submit, it returns those to store, or raises.
ON_SUBMIT = "on_submit"


def on_submit(owner: Any) -> Callable[[str, dict[str, Any]], dict[str, Any]] | None:
    """Return the class method that prepares parameters at submit; None if a class has none."""
    if not isinstance(owner, type) or not any(isinstance(vars(cls).get(ON_SUBMIT), classmethod) for cls in owner.__mro__):
        return None
    found: Callable[[str, dict[str, Any]], dict[str, Any]] = getattr(owner, ON_SUBMIT)
    return found


#: Optional methods, called once a job of the class has finished: one with the result, one with the exception.
HOOKS = ("on_success", "on_failure")


def hooks(owner: Any) -> tuple[str, ...]:
    """Return those of `HOOKS` that a class has."""
    if not isinstance(owner, type):
        return ()
    return tuple(name for name in HOOKS if isinstance(getattr(owner, name, None), types.FunctionType | types.MethodType))
