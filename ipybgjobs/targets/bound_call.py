"""Calls with checked and converted parameters, frozen. It runs no user code except what `binding` runs to convert values."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from ..errors import BackgroundJobError, InvalidParameters
from ..model import redaction, sealing
from . import binding, parts_of_call
from .target_signature import TargetSignature

_Given = TypeVar("_Given")
_Made = TypeVar("_Made")


class BoundCall(Struct, frozen=True):
    """Checked and converted parameters of one call.

    Parameters
    ----------
    init, params : dict
        Parameters of the constructor and of the method.
    positional : tuple of str
        Names of those that can't be passed by name.
    """

    init: dict[str, Any]
    params: dict[str, Any]
    positional: tuple[str, ...] = ()

    def sealed(self, loaded: frozenset[str], secrets: tuple[str, ...]) -> "BoundCall":
        """Return the call for a process that has imported only some modules, with what is of other classes sealed."""

        def sealed(values: dict[str, Any]) -> dict[str, Any]:
            return {name: sealing.seal(value, loaded, secrets) for name, value in values.items()}

        return replace(self, init=sealed(self.init), params=sealed(self.params))

    def placed(self, signature: TargetSignature) -> "BoundCall":
        """Return the call with the names of parameters to pass by position; one omitted before a given one gets its default."""
        taken = [each for each in signature.parameters.parameters if each.positional] if signature.parameters else []
        while taken and taken[-1].name not in self.params:
            taken.pop()
        if not taken:
            return self
        defaults = {each.name: each.default for each in taken if each.name not in self.params}
        return replace(self, params={**self.params, **defaults}, positional=tuple(each.name for each in taken))


def bind(
    signature: TargetSignature, init: Mapping[str, Any] | None, calls: Sequence[Mapping[str, Any]], secrets: tuple[str, ...]
) -> tuple[BoundCall, ...]:
    """Bind the parameters of several calls; those that only the constructor has are passed to it.

    Without a constructor's parameters (None), an instance is sent, and all belong to the method.

    Raises
    ------
    InvalidParameters
        If one does not fit; for several calls, the message gives its number.
    """
    if init is None:
        return for_each(lambda params: _of_instance(signature, params, secrets), calls)
    common: list[dict[str, Any]] = []  # the constructor's parameters of calls that give it none of their own, bound once

    def of_constructor(own: Mapping[str, Any]) -> dict[str, Any]:
        if own is not init:
            return _init(signature, own, secrets)
        if not common:
            common.append(_init(signature, own, secrets))
        return common[0]

    def of_call(params: Mapping[str, Any]) -> BoundCall:
        with hiding([init, params], secrets):
            own, rest = parts_of_call.divide(signature, init, params)
            return BoundCall(of_constructor(own), binding.bind(signature.parameters, rest, secrets))

    return for_each(of_call, calls)


def _of_instance(signature: TargetSignature, params: Mapping[str, Any], secrets: tuple[str, ...]) -> BoundCall:
    with hiding(params, secrets):
        return BoundCall({}, binding.bind(signature.parameters, params, secrets))


def for_each(make: Callable[[_Given], _Made], calls: Sequence[_Given]) -> tuple[_Made, ...]:
    """Call a function for each call; if one of several calls is refused, the error gives its number."""
    made = []
    for number, call in enumerate(calls):
        try:
            made.append(make(call))
        except InvalidParameters as error:
            if len(calls) == 1:
                raise
            raise InvalidParameters(f"call {number}: {error}") from None
    return tuple(made)


@contextlib.contextmanager
def hiding(given: Any, secrets: tuple[str, ...]) -> Iterator[None]:
    """Keep secret values out of every error message, whether it comes from a converter or from the class itself."""
    try:
        yield
    except BackgroundJobError as error:
        hidden = redaction.secrets_in(given, secrets)
        error.args = tuple(redaction.without(each, hidden) if isinstance(each, str) else each for each in error.args)
        raise


def _init(signature: TargetSignature, init: Mapping[str, Any], secrets: tuple[str, ...]) -> dict[str, Any]:
    name, takes = signature.name, signature.constructor
    if not signature.needs_instance:
        return _no_init(f"{name}.{signature.method}", init)
    unnamed = [each.name for each in takes.parameters if each.positional and each.name in init] if takes else []
    if unnamed:
        raise InvalidParameters(
            f"The constructor {name}() takes {unnamed[0]} as a positional-only parameter, which jobs do not support."
        )
    try:
        return binding.bind(takes, init, secrets)
    except InvalidParameters as error:
        if not init and parts_of_call.may_clash(signature):
            raise InvalidParameters(f"{error} (%bgjob {name}(name=value).method …, or init={{…}} in Python)") from None
        raise


def _no_init(called: str, init: Mapping[str, Any]) -> dict[str, Any]:
    if init:
        raise InvalidParameters(f"{called} is called without an instance: leave out the constructor's parameters.")
    return {}
