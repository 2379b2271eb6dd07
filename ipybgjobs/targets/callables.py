"""From what a user has in hand to a target's text: a function, a method, or a class's or function's name in the notebook.

A target is looked up by its name in the job's process, so whatever has no name there is refused, with what to pass instead. It
imports nothing and calls nothing; whether the target may run is decided afterwards, by `allowlist`.
"""

import functools
import inspect
import sys
import types
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

from ..configuration.settings import MAIN_MODULE, Settings
from ..errors import InvalidParameters, InvalidTarget, JobNotAllowed
from ..model.redaction import cut, quoted
from . import allowlist


class Called(NamedTuple):
    """What a job calls.

    Parameters
    ----------
    target : str
        ``module.Class.method`` or ``module.function``, or what the user has written.
    instance : object
        Whose method it is; None if the job makes its own, or needs none.
    """

    target: str
    instance: Any = None


def called(target: str | Called) -> Called:
    """Return a target that may be text as what a job calls."""
    return Called(target) if isinstance(target, str) else target


def of(given: object, settings: Callable[[], Settings]) -> Called:
    """Return what a job calls.

    Parameters
    ----------
    given : str or callable
        A target as text; a function; a method of a class or of an instance.
    settings : callable
        Returns what the configuration files say; it is called only if a name has to be found.

    Raises
    ------
    JobNotAllowed
        If it is neither text nor callable.
    InvalidTarget
        If it has no name by which a job finds it.
    InvalidParameters
        If it belongs to a notebook that has redefined or deleted it.
    """
    if isinstance(given, str):
        return Called(of_text(given, vars(sys.modules[MAIN_MODULE]), settings))
    owner = getattr(given, "__self__", None) if isinstance(given, _METHODS) else None
    if owner is None or isinstance(owner, types.ModuleType):
        return Called(_of_function(given, settings()))
    if isinstance(owner, type):
        return Called(_of_method(given, owner, settings()))
    if allowlist.is_by_value(type(owner).__module__) and settings().notebook_code:
        _check_current(type(owner), *_place(type(owner)), "a method of a new instance")
    return Called(_of_method(given, type(owner), settings()), owner)


#: The types of methods that are bound to a class or an instance.
_METHODS = (types.MethodType, types.BuiltinMethodType, types.MethodWrapperType)


def of_text(text: str, variables: Mapping[str, Any], settings: Callable[[], Settings]) -> str:
    """Return a target as text; one that begins with a class or function of the notebook gets its full path.

    Parameters
    ----------
    text : str
        As typed.
    variables : mapping
        The notebook's variables.
    settings : callable
        As for `of`.
    """
    name, _, rest = text.partition(".")
    if name not in variables:
        return text
    found = variables[name]
    if not rest:
        return _of_variable(text, found, settings) if callable(found) else text
    first, _, more = rest.partition(".")
    if isinstance(found, type):
        is_meant = not more or hasattr(found, first)  # otherwise a module has the same name
        return f"{of_class(found, settings())}.{rest}" if is_meant else text
    if not isinstance(found, (types.ModuleType, types.FunctionType)) and callable(getattr(type(found), rest, None)):
        _check_allowed(text, settings())
    return text


def _of_variable(name: str, found: object, settings: Callable[[], Settings]) -> str:
    """Return the path of what a variable of the notebook is."""
    target, instance = of(found, settings)
    if instance is not None:
        raise InvalidTarget(_of_instance(name))
    return target


def _check_allowed(text: str, settings: Settings) -> None:
    """Check that a text that reads like an instance's method names a function of a module that is allowed."""
    if allowlist.permission(text, settings) is None:
        raise InvalidTarget(_of_instance(text))


def _of_instance(written: str) -> str:
    return f"{written} is the method of an instance, which text can't name: write bg.submit({written}, {{…}})."


def of_class(cls: type, settings: Settings) -> str:
    """Return the path of a class: its own, or the one by which it is allowed or exported.

    Raises
    ------
    InvalidTarget
        If it is local.
    InvalidParameters
        If it is from a notebook that has redefined or deleted it.
    """
    module, name = _place(cls)
    _check_top_level(name, cls)
    if allowlist.is_by_value(module) and settings.notebook_code:
        _check_current(cls, module, name)
    return _allowed_or_exported(cls, f"{module}.{name}", settings.allowed)


def _of_function(given: object, settings: Settings) -> str:
    """Return the path of a function, which may be a method that is not bound."""
    if isinstance(given, type):
        raise InvalidTarget(f"{given.__qualname__} is a class: name the method to call, such as {_example(given)}.")
    module, name = _place(given)
    _check_top_level(name, given)
    _check_not_inherited(given, module, name)
    if not allowlist.is_by_value(module):
        _check_found(given, module, name)
    elif settings.notebook_code:
        _check_current(given, module, name)
    owner, _, last = name.rpartition(".")
    if owner:
        cls = _at(module, owner)
        return f"{of_class(cls, settings)}.{last}" if isinstance(cls, type) else f"{module}.{name}"
    allowed = [target for target in settings.targets() if target.rpartition(".")[2] == last]
    return _allowed_or_exported(given, f"{module}.{name}", allowed)


def _of_method(method: Any, cls: type, settings: Settings) -> str:
    """Return the path of a method that is bound to a class or to an instance of it."""
    name = method.__name__
    if isinstance(method, types.MethodType) and not _is_same(getattr(cls, name, None), method):
        raise InvalidTarget(
            f"{cls.__qualname__} has no method {name} of its own that is the one you pass: define it in the class."
        )
    return f"{of_class(cls, settings)}.{name}"


def _place(found: Any) -> tuple[str, str]:
    """Return the module of something callable, and its name there.

    Raises
    ------
    InvalidTarget, JobNotAllowed
        If it has none.
    """
    if isinstance(found, functools.partial):
        raise InvalidTarget(_partial(found))
    name = getattr(found, "__qualname__", None)
    defined = getattr(found, "__objclass__", found) if isinstance(found, _DESCRIPTORS) else found
    module = getattr(defined, "__module__", None) or getattr(getattr(found, "__self__", None), "__name__", None)
    if isinstance(name, str) and isinstance(module, str) and callable(found):
        return module, name
    if not callable(found):
        raise JobNotAllowed(f"A target is text, a function or a method; got {quoted(found)}.")
    kind = type(found)
    raise InvalidTarget(
        f"An instance of {kind.__qualname__} can be called, but has no name: pass a method of it, such as {_example(kind)}."
    )


#: Methods of classes that are written in C.
_DESCRIPTORS = (types.MethodDescriptorType, types.WrapperDescriptorType, types.ClassMethodDescriptorType)


def _partial(given: "functools.partial[Any]") -> str:
    called = given.func
    name = getattr(called, "__qualname__", "the function")
    keys = ", ".join(f'"{key}": …' for key in given.keywords) or '"name": value'
    return f"A partial has no name: pass {name} itself, and its parameters as a mapping, {{{cut(keys)}}}."


def _example(cls: type) -> str:
    """Return a method that could be called, as written in code."""
    names = (name for name, value in vars(cls).items() if not name.startswith("_") and inspect.isroutine(value))
    return f"{cls.__qualname__}.{next(names, 'method')}"


def _check_top_level(name: str, found: object) -> None:
    """Check that a job can find something by its name."""
    outer, _, inner = name.rpartition("<locals>.")
    if name.rpartition(".")[2] == "<lambda>":
        raise InvalidTarget("A lambda has no name: write def instead.")
    if outer:
        where = outer.rstrip(".")
        hint = "" if isinstance(found, type) else "; a decorator keeps the name of its function with functools.wraps"
        raise InvalidTarget(
            f"{inner} is defined inside {where}(), where a job can't find it: define it at the top level of a module{hint}."
        )


def _check_found(found: object, module: str, name: str) -> None:
    """Check that something of a module is what the module has by that name."""
    if not _is_same(_at(module, name), found):
        raise InvalidTarget(
            f"{name} is not what {module} has by that name, by which a job would look it up: define it at the top level of the "
            "module, under the name that it has there."
        )


def _check_current(found: object, module: str, name: str, instead: str = "the current one") -> None:
    """Check that something of the notebook is what the notebook has by that name."""
    if not _is_same(_at(module, name), found, exactly=True):
        raise InvalidParameters(f"{name} has since been redefined or deleted in this notebook: pass {instead}.")


def _check_not_inherited(given: object, module: str, name: str) -> None:
    """Refuse a function that several classes have: it does not say which of them was meant."""
    owner, _, last = name.rpartition(".")
    cls = _at(module, owner) if owner else None
    heirs = [each for each in _subclasses(cls) if _is_same(getattr(each, last, None), given, exactly=True)]
    if isinstance(cls, type) and heirs:
        written = dict.fromkeys(f'"{_written(each)}.{last}"' for each in [cls, *heirs] if "<locals>" not in each.__qualname__)
        raise InvalidTarget(
            f"{name} does not say of which class, since {heirs[0].__qualname__} inherits it: write the target as text, "
            f"{' or '.join(list(written)[:_MOST_NAMED])}."
        )


#: Most classes that a refusal names.
_MOST_NAMED = 3


def _written(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}".removeprefix(f"{MAIN_MODULE}.")


def _subclasses(cls: Any) -> list[type]:
    """Return the classes that inherit from a class, directly or not, each once; without those that were redefined."""
    found: dict[type, None] = {}
    left: list[type] = type.__subclasses__(cls) if isinstance(cls, type) else []
    while left:
        each = left.pop(0)
        if each not in found and _at(each.__module__, each.__qualname__) in (each, None):
            found[each] = None
            left += type.__subclasses__(each)
    return list(found)


def _at(module: str, name: str) -> Any:
    """Return what a module that is imported here has by a name; None if nothing."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _is_same(there: object, given: object, *, exactly: bool = False) -> bool:
    """Return whether a name leads to what was given, or to the same code after a reload of its module."""
    there, given = getattr(there, "__func__", there), getattr(given, "__func__", given)
    if there is given or exactly:
        return there is given
    code, own = getattr(there, "__code__", None), getattr(given, "__code__", None)
    if code is None or own is None:
        return type(there) is type(given) and getattr(there, "__qualname__", None) == getattr(given, "__qualname__", "")
    return bool((code.co_filename, code.co_qualname) == (own.co_filename, own.co_qualname))


def _allowed_or_exported(found: object, own: str, allowed: Collection[str]) -> str:
    """Return a path: its own if that is allowed, or the allowed one that leads to the same, or the shortest one."""
    if own in allowed or allowlist.is_by_value(own):
        return own
    others = (key for key in allowed if _is_at(key, found))
    return next(others, None) or next(_exported(found, own), own)


def _is_at(path: str, found: object) -> bool:
    module, _, name = path.rpartition(".")
    return vars(sys.modules[module]).get(name) is found if module in sys.modules else False


def _exported(found: object, own: str) -> Iterator[str]:
    """Yield the paths by which the packages around it export something, the shortest first."""
    *packages, name = own.split(".")
    for length in range(1, len(packages)):
        path = ".".join([*packages[:length], name])
        if _is_at(path, found):
            yield path
