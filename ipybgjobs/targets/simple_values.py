"""Convert simple values by simple annotations exactly as pydantic does, which takes longer to import than all else in a submit.

Most values are already what their annotation asks for. For all others, `converted` leaves the conversion to pydantic.
"""

import pathlib
import types
import typing
from collections.abc import Callable
from typing import Any, Final

#: Returned for what pydantic must convert.
NOT_SIMPLE: Final = object()

_NONE = type(None)

#: Types whose own values pydantic returns as they are.
_SCALARS = (bool, int, float, str, bytes, _NONE)

_UNIONS = (typing.Union, types.UnionType)

#: Largest integer up to which every integer is a float.
_LARGEST = 2**53


def converted(annotation: Any, value: Any) -> Any:
    """Return a value converted by an annotation; `NOT_SIMPLE` if that takes pydantic."""
    annotation = _without_none(annotation, value)
    kind = type(value)
    if kind in _CONTAINERS:
        return _CONTAINERS[kind](annotation, value)
    if kind not in _SCALARS or (kind is str and not _can_be_encoded(value)):
        return NOT_SIMPLE
    if annotation is kind or _is_exact(annotation, value):
        return value
    if annotation is float and kind is int and abs(value) <= _LARGEST:
        return float(value)
    return pathlib.Path(value) if annotation is pathlib.Path and kind is str else NOT_SIMPLE


def _without_none(annotation: Any, value: Any) -> Any:
    """Return the only other alternative of an optional annotation, which then decides about a value that is not None."""
    if value is None or typing.get_origin(annotation) not in _UNIONS:
        return annotation
    others = [each for each in typing.get_args(annotation) if each is not _NONE]
    return others[0] if len(others) == 1 else annotation


def _converted_list(annotation: Any, values: list[Any]) -> Any:
    """Return a new list if all items are simple and none is a container."""
    if typing.get_origin(annotation) is not list:
        return NOT_SIMPLE
    return _converted_items(typing.get_args(annotation)[0], values)


def _converted_dict(annotation: Any, values: dict[Any, Any]) -> Any:
    """Return a new dict if all keys are text, and all values are simple and none is a container."""
    if typing.get_origin(annotation) is not dict or typing.get_args(annotation)[0] is not str:
        return NOT_SIMPLE
    if not all(type(key) is str and _can_be_encoded(key) for key in values):
        return NOT_SIMPLE
    items = _converted_items(typing.get_args(annotation)[1], list(values.values()))
    return NOT_SIMPLE if items is NOT_SIMPLE else dict(zip(values, items, strict=True))


def _converted_items(annotation: Any, values: list[Any]) -> Any:
    items = [NOT_SIMPLE if type(each) in _CONTAINERS else converted(annotation, each) for each in values]
    return NOT_SIMPLE if any(each is NOT_SIMPLE for each in items) else items


#: The types of values that have values inside.
_CONTAINERS: Final[dict[type, Callable[[Any, Any], Any]]] = {list: _converted_list, dict: _converted_dict}


def _is_exact(annotation: Any, value: Any) -> bool:
    """Return whether a value is exactly one alternative of a union or literal, and no other could take it first."""
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return any(type(each) is type(value) and each == value for each in parts)
    if origin not in _UNIONS or not all(any(each is one for one in _SCALARS) for each in parts):
        return False
    return any(each is type(value) for each in parts) and not (type(value) is int and float in parts)


def _can_be_encoded(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
