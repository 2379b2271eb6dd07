"""Read the parameters of a function from its text: the same values as importing it gives, where the text tells them.

Annotations are plain if they consist of built-in types and a few names of the standard library; of the others only the text is
known (`UNREAD`), which is enough as long as no value is passed for them.
"""

import ast
import builtins
import collections.abc
import inspect
import operator
import pathlib
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .binding import UNREAD, Parameter, Signature, UnreadDefault
from .scope_text import NotPlain

#: The names of the standard library that an annotation may use, by module.
_KNOWN: Mapping[str, Mapping[str, Any]] = {
    "pathlib": {name: getattr(pathlib, name) for name in ("Path", "PurePath")},
    "typing": {
        name: getattr(typing, name)
        for name in ("Any", "Dict", "FrozenSet", "List", "Literal", "Mapping", "Optional", "Sequence", "Set", "Tuple", "Union")
    },
    "collections.abc": {name: getattr(collections.abc, name) for name in ("Mapping", "Sequence", "Set")},
}

#: Built-in types that an annotation may use.
_BUILTIN = frozenset({"bool", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "object", "set", "str", "tuple"})

#: Returns the dotted path that a name is imported from, or ``builtins.NAME``.
Lookup = Callable[[str], str]


def signature(what: str, function: ast.FunctionDef | ast.AsyncFunctionDef, lookup: Lookup, *, skip_first: bool) -> Signature:
    """Return the parameters of a function.

    Parameters
    ----------
    what : str
        The function, as written in messages.
    function : ast.FunctionDef or ast.AsyncFunctionDef
        Its statement.
    lookup : callable
        Tells what a name in an annotation means; raises `NotPlain` if the text does not tell.
    skip_first : bool
        Leave out ``self``.

    Raises
    ------
    NotPlain
        If the text does not tell them.
    """
    takes = function.args
    if getattr(function, "type_params", None):
        raise NotPlain("type parameters")
    placed = [*takes.posonlyargs, *takes.args]
    defaults = [None] * (len(placed) - len(takes.defaults)) + list(takes.defaults)
    if skip_first:
        if not placed or defaults[0] is not None:
            raise NotPlain("self")
        del placed[0], defaults[0]
    positional = len(takes.posonlyargs) - (skip_first and bool(takes.posonlyargs))
    found = [
        _parameter(each, default, lookup, positional=number < positional)
        for number, (each, default) in enumerate(zip(placed, defaults, strict=True))
    ]
    found += [
        _parameter(each, default, lookup, positional=False)
        for each, default in zip(takes.kwonlyargs, takes.kw_defaults, strict=True)
    ]
    return Signature(what, tuple(found), takes.kwarg is not None)


def _parameter(argument: ast.arg, default: ast.expr | None, lookup: Lookup, *, positional: bool) -> Parameter:
    if argument.arg.startswith("__") and not argument.arg.endswith("__"):
        raise NotPlain(argument.arg)  # in a class, Python gives it another name
    value = inspect.Parameter.empty if default is None else _default(default)
    if positional and isinstance(value, UnreadDefault):
        raise NotPlain(argument.arg)  # its value may be passed
    hint = inspect.Parameter.empty if argument.annotation is None else _annotation(argument.annotation, lookup)
    return Parameter(argument.arg, hint, required=default is None, positional=positional, default=value)


def _default(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, MemoryError, RecursionError):
        return UnreadDefault(ast.unparse(node))


def _annotation(node: ast.expr, lookup: Lookup) -> Any:
    """Return an annotation as `typing.get_type_hints` does; `UNREAD` if the text does not tell."""
    try:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node = ast.parse(node.value.strip(), mode="eval").body
        hint = _evaluated(node, lookup)
    except (NotPlain, SyntaxError, TypeError, ValueError, RecursionError, SystemError):
        return UNREAD
    return type(None) if hint is None else hint


def _evaluated(node: ast.expr, lookup: Lookup) -> Any:
    """Return what an expression of plain names means, by the same operations as Python's."""
    if isinstance(node, ast.Name | ast.Attribute):
        return _named(_dotted(node), lookup)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return operator.or_(_evaluated(node.left, lookup), _evaluated(node.right, lookup))
    if isinstance(node, ast.Subscript):
        return _subscripted(_evaluated(node.value, lookup), node.slice, lookup)
    if isinstance(node, ast.Constant) and node.value in (None, ...):
        return node.value
    raise NotPlain(ast.unparse(node))


def _subscripted(generic: Any, part: ast.expr, lookup: Lookup) -> Any:
    if generic is typing.Literal:
        return generic[ast.literal_eval(part)]
    if isinstance(part, ast.Tuple):
        return generic[tuple(_evaluated(each, lookup) for each in part.elts)]
    return generic[_evaluated(part, lookup)]


def _dotted(node: ast.expr) -> Sequence[str]:
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        raise NotPlain(ast.unparse(node))
    return [node.id, *names]


def _named(names: Sequence[str], lookup: Lookup) -> Any:
    """Return the type of a name, which may be one of an imported module."""
    module, _, name = ".".join([lookup(names[0]), *names[1:]]).rpartition(".")
    if module == builtins.__name__ and name in _BUILTIN:
        return getattr(builtins, name)
    if name not in _KNOWN.get(module, {}):
        raise NotPlain(name)
    return _KNOWN[module][name]
