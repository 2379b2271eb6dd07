"""What a target takes, for completion: of a module that is imported from the module, of any other from its text, roughly."""

import ast
import functools
import inspect
import os
import sys
import typing
from collections.abc import Iterator
from typing import Any, NamedTuple

#: Longest file that is read while the user waits for a completion, in bytes.
_LONGEST = 400_000

#: The same of a notebook, which has its outputs in it.
_LARGEST_NOTEBOOK = 50_000_000

_Function = ast.FunctionDef | ast.AsyncFunctionDef


class TypedParameter(NamedTuple):
    """A parameter, and the values that can be offered for it."""

    name: str
    values: tuple[str, ...] = ()


def of_call(target: str) -> list[TypedParameter]:
    """Return what a target takes, and what only its constructor takes if it needs an instance; none if that can't be known."""
    own = of_target(target)
    names = {each.name for each in own}
    more = of_target(target, is_constructor=True) if _needs_instance(target) else []
    return [*own, *(each for each in more if each.name not in names)]


def of_notebook(path: str) -> list[TypedParameter]:
    """Return the parameters of a notebook's file; none if it has no cell of parameters that can be read."""
    try:
        status = os.stat(path)
        return _of_notebook(path, status.st_mtime_ns) if status.st_size <= _LARGEST_NOTEBOOK else []
    except OSError:
        return []


@functools.lru_cache(maxsize=16)
def _of_notebook(path: str, _changed: int) -> list[TypedParameter]:
    from ..notebooks import signature

    found = signature.of_file(path)
    return [] if found is None else [TypedParameter(each.name, _values_of(each.annotation)) for each in found.parameters]


def _needs_instance(target: str) -> bool:
    """Return whether a target is a method of a new instance, as far as that is known."""
    owner, _, method = target.rpartition(".")
    module, _, cls = owner.rpartition(".")
    if owner in sys.modules:
        return False
    if module in sys.modules:
        found = inspect.getattr_static(getattr(sys.modules[module], cls, None), method, None)
        return inspect.isfunction(found)
    if _file(owner) is not None:
        return False
    found = _method(_text(_file(module)), cls, method)
    named = (each.id for each in getattr(found, "decorator_list", ()) if isinstance(each, ast.Name))
    return found is not None and not {"staticmethod", "classmethod"} & {*named}


def of_target(target: str, *, is_constructor: bool = False) -> list[TypedParameter]:
    """Return the parameters of a target, or of its constructor; none if they can't be known without an import."""
    owner, _, method = target.rpartition(".")
    module, _, cls = owner.rpartition(".")
    if owner in sys.modules:
        return [] if is_constructor else _of_loaded(sys.modules[owner], method)
    if module in sys.modules:
        found = getattr(sys.modules[module], cls, None)
        return _of_loaded(sys.modules[module], cls) if is_constructor else _of_loaded(found, method)
    body = _text(_file(owner))
    if body is not None:
        return [] if is_constructor else _of_text(_named(body, method))
    return _of_method(_text(_file(module)), cls, "__init__" if is_constructor else method)


def _of_loaded(owner: Any, name: str) -> list[TypedParameter]:
    try:
        parameters = inspect.signature(
            inspect.getattr_static(owner, name) if inspect.isclass(owner) else getattr(owner, name)
        ).parameters
    except (AttributeError, TypeError, ValueError):
        return []
    named = (each for each in parameters.values() if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD))
    return [TypedParameter(each.name, _values(each)) for each in named if each.name not in ("self", "cls")]


def _values(parameter: inspect.Parameter) -> tuple[str, ...]:
    """Return the values of a parameter that has few."""
    return ("True", "False") if type(parameter.default) is bool else _values_of(parameter.annotation)


def _values_of(annotation: Any) -> tuple[str, ...]:
    if annotation in (bool, bool | None) or annotation == "bool":
        return ("True", "False")
    return tuple(map(str, typing.get_args(annotation))) if typing.get_origin(annotation) is typing.Literal else ()


def _file(module: str) -> str | None:
    """Return the file that a module would be imported from, if it is a plain one, without importing its package."""
    path = module.replace(".", "/")
    if not path:
        return None
    for folder in map(str, sys.path):
        for name in (f"{path}.py", f"{path}/__init__.py"):
            found = os.path.join(folder or os.getcwd(), name)
            if os.path.isfile(found):
                return found
    return None


def _text(path: str | None) -> tuple[ast.stmt, ...] | None:
    """Return the statements of a file; None if it can't be read, or is too long to be parsed at once."""
    try:
        status = os.stat(path or "")
        return None if status.st_size > _LONGEST else _parsed(str(path), status.st_mtime_ns, status.st_size)
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return None


@functools.lru_cache(maxsize=16)
def _parsed(path: str, _changed: int, _size: int) -> tuple[ast.stmt, ...]:
    with open(path, "rb") as file:
        return tuple(ast.parse(file.read(_LONGEST)).body)


def _named(body: tuple[ast.stmt, ...] | list[ast.stmt], name: str) -> ast.stmt | None:
    named = (each for each in body if isinstance(each, _Function | ast.ClassDef) and each.name == name)
    return next(named, None)


def _of_method(body: tuple[ast.stmt, ...] | None, cls: str, method: str) -> list[TypedParameter]:
    return _of_text(_method(body, cls, method))


def _method(body: tuple[ast.stmt, ...] | None, cls: str, method: str) -> ast.stmt | None:
    """Return a method, which may be inherited from a class of the same file."""
    for _ in range(len(body or ())):
        found = _named(body or (), cls)
        if not isinstance(found, ast.ClassDef):
            break
        if (function := _named(found.body, method)) is not None:
            return function
        cls = next((base.id for base in found.bases if isinstance(base, ast.Name)), "")
    return None


def _of_text(function: ast.stmt | None) -> list[TypedParameter]:
    if not isinstance(function, _Function):
        return []
    return [TypedParameter(each.arg, _values_of_text(each)) for each in _arguments(function) if each.arg not in ("self", "cls")]


def _arguments(function: _Function) -> Iterator[ast.arg]:
    yield from (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)


def _values_of_text(argument: ast.arg) -> tuple[str, ...]:
    written = "" if argument.annotation is None else ast.unparse(argument.annotation)
    return ("True", "False") if written == "bool" else ()
