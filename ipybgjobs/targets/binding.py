"""Check parameters against a signature: known, complete, and converted by their annotations.

Runs in the kernel or in a fresh process; of the user's code it calls only constructors of annotated types. pydantic does
the conversion, and is imported only if there is an annotation.
"""

import collections.abc
import contextlib
import enum
import inspect
import os
import pathlib
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from ..errors import InvalidParameters
from ..model import redaction
from ..model.suggestion import did_you_mean
from . import simple_values

#: Annotations that accept any value.
_OPEN = (inspect.Parameter.empty, Any, object)

_LAZY = (collections.abc.Iterable, collections.abc.Iterator, collections.abc.Generator)


class UnreadDefault:
    """A default that is not known here, only its text.

    Parameters
    ----------
    text : str
        As in the source.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        """Return the text."""
        return self._text


class UnreadAnnotation(Exception):  # noqa: N818 - no error: the process that imports the type can tell
    """A value was passed for a parameter whose annotation is not known here."""


class _Unread(enum.Enum):
    UNREAD = "unread"


#: The annotation of a parameter whose type is not known here: it binds only calls that do not pass it.
UNREAD = _Unread.UNREAD

#: Words that are values in some languages but not in Python.
_FOREIGN_WORDS = ("true", "false", "none", "null")


class RawValue(Struct, frozen=True):
    """A value as typed on a line: its meaning may depend on the parameter's annotation.

    Parameters
    ----------
    text : str
        As typed, quotes included.
    value : Any
        The Python literal; for a bare word, its text.
    bare : bool
        Whether it is a bare word.
    """

    text: str
    value: Any
    bare: bool = False


class Parameter(Struct, frozen=True):
    """One parameter of a signature."""

    name: str
    annotation: Any
    required: bool
    positional: bool
    default: Any = None

    @property
    def annotation_text(self) -> str:
        """The annotation as text; empty if there is none, or if it converts nothing."""
        if self.annotation in _OPEN:
            return ""
        return self.annotation.__name__ if isinstance(self.annotation, type) else str(self.annotation)


class Signature(Struct, frozen=True):
    """The parameters that a callable takes.

    Parameters
    ----------
    what : str
        The callable, as written in messages.
    parameters : tuple of Parameter
        Named parameters.
    takes_any_name : bool
        Whether any other name is accepted too (``**kwargs``).
    within : str
        The dict parameter in which a user passes them; empty: each is passed by itself.
    """

    what: str
    parameters: tuple[Parameter, ...]
    takes_any_name: bool
    within: str = ""


def signature_of(function: Callable[..., Any], what: str, *, skip_first: bool = False) -> Signature | None:
    """Return a callable's parameters; None if Python can't determine them (some built-ins).

    Parameters
    ----------
    function : callable
        Function or class.
    what : str
        Its name for messages.
    skip_first : bool
        Leave out ``self``.
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):
        return None
    if skip_first and parameters and parameters[0].kind in (0, 1):
        parameters = parameters[1:]
    hints = _hints(function)
    found_parameters = tuple(
        Parameter(
            parameter.name,
            hints.get(parameter.name, inspect.Parameter.empty),
            required=parameter.default is parameter.empty,
            positional=parameter.kind is parameter.POSITIONAL_ONLY,
            default=parameter.default,
        )
        for parameter in parameters
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    )
    return Signature(what, found_parameters, any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters))


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations; those that can't be evaluated are ignored."""
    source = function.__init__ if isinstance(function, type) else function  # type: ignore[misc] # for its hints, not a call
    source = inspect.unwrap(source)
    try:
        return typing.get_type_hints(source, include_extras=True)
    except Exception:
        return _hints_one_by_one(source)


def _hints_one_by_one(source: Any) -> dict[str, Any]:
    namespace = getattr(source, "__globals__", {})
    found: dict[str, Any] = {}
    for name, hint in getattr(source, "__annotations__", {}).items():
        one = types.SimpleNamespace(__annotations__={name: hint})
        with contextlib.suppress(Exception):
            found |= typing.get_type_hints(one, globalns=namespace, include_extras=True)
    return found


def bind(signature: Signature | None, given: Mapping[str, Any], secrets: tuple[str, ...] = ()) -> dict[str, Any]:
    """Check parameters against a signature and convert them.

    Returns
    -------
    dict
        The parameters, converted, in the order of the signature.

    Raises
    ------
    InvalidParameters
        If one is unknown, missing or does not fit; a secret's value is not in the message.
    """
    if signature is None:
        return {name: _untyped(name, value) for name, value in given.items()}
    found_parameters = {parameter.name: parameter for parameter in signature.parameters}
    for name in given:
        if name not in found_parameters and not signature.takes_any_name:
            raise InvalidParameters(_unknown(signature, name))
    missing = [parameter.name for parameter in signature.parameters if parameter.required and parameter.name not in given]
    if missing:
        required = f"required parameter{'' if len(missing) == 1 else 's'} {', '.join(missing)}"
        raise InvalidParameters(f"{signature.what} is missing the {required}: pass {_expected(signature, missing)}")
    return {
        name: _converted(signature, found_parameters[name], value, secrets) if name in found_parameters else _untyped(name, value)
        for name, value in _in_order(found_parameters, given).items()
    }


def _in_order(parameters: Iterable[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters in the order of a signature; those that it does not name come last."""
    return {name: given[name] for name in parameters if name in given} | dict(given)


def _expected(signature: Signature, names: list[str]) -> str:
    if not signature.within:
        return ", ".join(f"{name}=…" for name in names)
    items = ", ".join(f'"{name}": …' for name in names)
    return f"{signature.within}={{{items}}}"


def _unknown(signature: Signature, name: str) -> str:
    known = [parameter.name for parameter in signature.parameters]
    takes = f"it takes {', '.join(known)}." if known else "it takes none."
    return f"{signature.what} has no parameter {name}; {takes}{did_you_mean(name, known)}"


def _untyped(name: str, value: Any) -> Any:
    if not isinstance(value, RawValue):
        return value
    if value.bare and value.text.lower() in _FOREIGN_WORDS and value.text not in ("True", "False", "None"):
        raise InvalidParameters(
            f"{name}={value.text} could be text or a value: write {name}={value.text.capitalize().replace('Null', 'None')} "
            f'for the value, or {name}="{value.text}" for the text.'
        )
    return value.value


def _converted(signature: Signature, parameter: Parameter, value: Any, secrets: tuple[str, ...]) -> Any:
    annotation = parameter.annotation
    if annotation is UNREAD:
        raise UnreadAnnotation(parameter.name)
    if annotation in _OPEN:
        return _untyped(parameter.name, value)
    if isinstance(value, RawValue):
        value = _as_typed(value, annotation)
    if _accepts(annotation, pathlib.Path) and isinstance(value, str):
        value = _in_home(signature, parameter, value)
    simple = simple_values.converted(annotation, value)
    return _by_pydantic(signature, parameter, value, secrets) if simple is simple_values.NOT_SIMPLE else simple


def _by_pydantic(signature: Signature, parameter: Parameter, value: Any, secrets: tuple[str, ...]) -> Any:
    adapter = _adapter(parameter.annotation)
    if adapter is None:
        return value
    try:
        return adapter.validate_python(value)
    except Exception as error:
        if type(error).__name__ == "PydanticUserError":
            return value  # an annotation that pydantic doesn't understand is ignored
        raise InvalidParameters(_conversion_error(signature, parameter, value, error, secrets)) from None


def _in_home(signature: Signature, parameter: Parameter, value: str) -> str:
    try:
        return os.path.expanduser(value)
    except ValueError:  # a NUL in the name of a user
        raise InvalidParameters(
            f"{signature.what}: {parameter.name} does not fit {parameter.annotation_text}: a path can't contain a NUL."
        ) from None


def _conversion_error(signature: Signature, parameter: Parameter, value: Any, error: Exception, secrets: tuple[str, ...]) -> str:
    if parameter.name in secrets:
        return f"{signature.what}: {parameter.name}={redaction.BLANK} does not fit {parameter.annotation_text}."
    shown = redaction.cut(repr(redaction.blanked(value, secrets)))
    reason = redaction.without(_reason(error), redaction.secrets_in(value, secrets))
    return redaction.one_line(f"{signature.what}: {parameter.name}={shown} does not fit {parameter.annotation_text}: {reason}.")


def _as_typed(value: RawValue, annotation: Any) -> Any:
    """Return the value for an annotation: text as typed for a text parameter; a bare word is text that may be converted."""
    quoted = isinstance(value.value, str)
    if annotation is str or (_accepts(annotation, str) and value.value is not None):
        return value.value if quoted else value.text
    if value.bare and value.text.lower() in ("none", "null") and _accepts(annotation, type(None)):
        return None
    return value.value


def _accepts(annotation: Any, kind: type) -> bool:
    return annotation is kind or any(_accepts(part, kind) for part in _alternatives(annotation))


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return typing.get_args(annotation)[:1]
    return typing.get_args(annotation) if origin in (typing.Union, types.UnionType) else ()


_adapters: dict[Any, Any] = {}


def _adapter(annotation: Any) -> Any:
    """Return pydantic's converter for an annotation, made once; None if it has none."""
    key = (annotation, repr(annotation))  # unions are equal in any order, and the order may matter
    try:
        if key not in _adapters:
            _adapters[key] = _new_adapter(annotation)
    except TypeError:  # an annotation that can't be hashed
        return _new_adapter(annotation)
    return _adapters[key]


def _new_adapter(annotation: Any) -> Any:
    import pydantic

    if _is_lazy(annotation):
        return None
    try:
        return pydantic.TypeAdapter(annotation, config=pydantic.ConfigDict(arbitrary_types_allowed=True))
    except pydantic.PydanticUserError:
        pass  # a model or dataclass brings its own configuration
    except Exception:
        return None
    try:
        return pydantic.TypeAdapter(annotation)
    except Exception:
        return None


def _is_lazy(annotation: Any) -> bool:
    """Return whether pydantic would return an iterator instead of the value."""
    origin = typing.get_origin(annotation) or annotation
    return origin in _LAZY or any(_is_lazy(part) for part in typing.get_args(annotation))


def _reason(error: Exception) -> str:
    errors = getattr(error, "errors", None)
    if errors is None:
        return f"{type(error).__name__}: {error}"
    first = errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place + ': ' if place else ''}{first['msg'][:1].lower()}{first['msg'][1:]}"
