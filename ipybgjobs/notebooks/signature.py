"""A notebook's parameters: the assignments in its cell tagged ``parameters``, which are parsed and never executed.

By papermill's convention they are the defaults; an annotation, or the type of a literal, determines which values fit.
"""

import ast
import builtins
import datetime as dt
import os
import pathlib
import typing
from collections.abc import Iterator
from typing import Any

from ..errors import InvalidParameters
from ..model import ipython_syntax, redaction
from ..targets.binding import Parameter, Signature
from . import document

#: Names that an annotation can use, whatever the notebook imports them as.
_TYPES: dict[str, Any] = {
    name: getattr(builtins, name)
    for name in ("bool", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "object", "set", "str", "tuple")
}
_TYPES |= {name: getattr(typing, name) for name in ("Any", "Dict", "List", "Literal", "Optional", "Set", "Tuple", "Union")}
_TYPES |= {"Path": pathlib.Path, "date": dt.date, "datetime": dt.datetime, "timedelta": dt.timedelta}

#: Types that fit a parameter whose default is a literal of a type: an integer default does not exclude fractions.
_LIKE: dict[type, Any] = {bool: bool, int: int | float, float: float, str: str, list: list, dict: dict, tuple: tuple, set: set}

_UNKNOWN = object()

#: Longest cell that IPython is asked to convert to Python, in characters: it reads the whole cell again for each magic.
_LONGEST_WITH_MAGICS = 20_000

#: Longest reason of a refusal that is shown, in characters.
_LONGEST_REASON = 200


def signature_of(notebook: Any, path: str) -> Signature | None:
    """Return the parameters that a notebook takes; None if it has no cell tagged ``parameters``.

    Raises
    ------
    InvalidParameters
        If that cell is not valid Python.
    """
    index = document.tagged(notebook, document.PARAMETERS)
    return None if index is None else _of_source(notebook.cells[index].source, path)


def of_file(path: str) -> Signature | None:
    """Return the parameters of a notebook's file as it is, without checking the notebook; None if it tells none.

    Parameters
    ----------
    path : str
        The file.
    """
    try:
        source = document.source_of_tagged(path, document.PARAMETERS)
        return None if source is None else _of_source(source, path)
    except InvalidParameters:
        return None


def _of_source(source: str, path: str) -> Signature:
    parameters = {parameter.name: parameter for parameter in _parameters(_tree(source, path))}
    return Signature(os.path.basename(path), tuple(parameters.values()), takes_any_name=False, within="parameters")


def _tree(source: str, path: str) -> ast.Module:
    try:
        return _parsed(source)
    except (SyntaxError, ValueError) as error:
        if len(source) > _LONGEST_WITH_MAGICS:
            raise _unreadable(path, error) from None
    try:
        return _parsed(ipython_syntax.as_python(source))
    except (SyntaxError, ValueError, RuntimeError) as error:  # RuntimeError if there are more magics than IPython handles
        raise _unreadable(path, error) from None


def _unreadable(path: str, error: Exception) -> InvalidParameters:
    reason = redaction.one_line(redaction.cut(str(error), _LONGEST_REASON))
    return InvalidParameters(f"The cell tagged parameters in {redaction.one_line(path)} can't be parsed: {reason}.")


def _parsed(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (RecursionError, MemoryError):
        raise ValueError("it is too deeply nested") from None


def _parameters(tree: ast.Module) -> Iterator[Parameter]:
    for statement in tree.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            annotation = _annotation(statement.annotation)
            yield Parameter(statement.target.id, annotation, required=statement.value is None, positional=False)
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                yield from _assigned(target, statement.value)


def _assigned(target: ast.expr, value: ast.expr) -> Iterator[Parameter]:
    if isinstance(target, ast.Name):
        yield Parameter(target.id, _like(value), required=False, positional=False)
    elif isinstance(target, (ast.Tuple, ast.List)):
        values = value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
        for number, each in enumerate(target.elts):
            yield from _assigned(each, values[number] if len(values) == len(target.elts) else ast.Name("_"))


def _like(value: ast.expr) -> Any:
    """Return the type that can replace a default: its own, or None; anything if it is not a literal."""
    try:
        kind = _LIKE.get(type(ast.literal_eval(value)))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return Any
    return Any if kind is None else typing.Optional[kind]  # noqa: UP045 - `|` does not work for types that are values


def _annotation(node: ast.expr) -> Any:
    """Return the type that an annotation names; one that is not understood is ignored."""
    try:
        found = _type(node)
    except RecursionError:
        return Any
    return Any if found is _UNKNOWN else found


def _type(node: ast.expr) -> Any:
    if isinstance(node, ast.Name):
        return _TYPES.get(node.id, _UNKNOWN)
    if isinstance(node, ast.Attribute):  # typing.Optional, pathlib.Path
        return _TYPES.get(node.attr, _UNKNOWN)
    if isinstance(node, ast.Constant):
        return _constant(node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _applied(typing.Union, [_type(node.left), _type(node.right)])
    if isinstance(node, ast.Subscript):
        return _subscript(_type(node.value), node.slice)
    return _UNKNOWN


def _constant(value: Any) -> Any:
    if value is None or value is ...:
        return value
    try:
        return _type(ast.parse(value, mode="eval").body) if isinstance(value, str) else _UNKNOWN
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _UNKNOWN


def _subscript(origin: Any, inside: ast.expr) -> Any:
    parts = inside.elts if isinstance(inside, ast.Tuple) else [inside]
    if origin is typing.Literal:
        try:
            return _applied(origin, [ast.literal_eval(part) for part in parts])
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return _UNKNOWN
    return _applied(origin, [_type(part) for part in parts])


def _applied(origin: Any, arguments: list[Any]) -> Any:
    if origin is _UNKNOWN or any(each is _UNKNOWN for each in arguments):
        return _UNKNOWN
    try:
        return origin[tuple(arguments) if len(arguments) != 1 else arguments[0]]
    except TypeError:
        return _UNKNOWN
