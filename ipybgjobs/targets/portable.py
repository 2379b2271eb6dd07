"""What of a signature means the same in any process: it uses none of the user's modules."""

import sys
import typing
from typing import Any

from msgspec.structs import replace

from ..model import serialization
from .binding import UNREAD, Parameter, Signature, UnreadDefault


def is_possible(takes: Signature | None) -> bool:
    """Return whether any process can do without what it does not know of a signature: no such default is passed by position."""
    return takes is None or all(
        not (parameter.positional and isinstance(_default(parameter.default), UnreadDefault)) for parameter in takes.parameters
    )


def signature(takes: Signature | None) -> Signature | None:
    """Return a signature with the user's types and defaults unread."""
    return None if takes is None else replace(takes, parameters=tuple(map(_parameter, takes.parameters)))


def _parameter(parameter: Parameter) -> Parameter:
    annotation = parameter.annotation if _is_common(parameter.annotation) else UNREAD
    return replace(parameter, annotation=annotation, default=_default(parameter.default))


def _default(value: Any) -> Any:
    is_known = serialization.is_plain(value) or (
        isinstance(value, type) and _is_common(value)
    )  # `inspect.Parameter.empty` is one
    return value if is_known else UnreadDefault(serialization.describe(value))


def _is_common(annotation: Any) -> bool:
    if typing.get_origin(annotation) is typing.Annotated:
        return False
    parts = typing.get_args(annotation)
    if parts:
        literal = typing.get_origin(annotation) is typing.Literal
        return all(serialization.is_plain(part) if literal else part is ... or _is_common(part) for part in parts)
    if annotation is None or annotation is typing.Any:
        return True
    return isinstance(annotation, type) and annotation.__module__.partition(".")[0] in sys.stdlib_module_names
