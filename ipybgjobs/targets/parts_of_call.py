"""Divide the given parameters of a call between the constructor and the method, by their names alone."""

from collections.abc import Mapping
from typing import Any

from ..errors import InvalidParameters
from ..model.suggestion import did_you_mean
from .binding import Signature
from .target_signature import TargetSignature


def divide(
    signature: TargetSignature, init: Mapping[str, Any], given: Mapping[str, Any]
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the parameters of the constructor and those of the method.

    A name that only the constructor has is the constructor's. A name that both have, or that a method with ``**kwargs`` may
    take, is the method's: for the constructor it has to be in `init`.

    Parameters
    ----------
    signature : TargetSignature
        What the target takes.
    init : mapping
        Parameters that were given for the constructor.
    given : mapping
        Parameters that were given without saying for which of the two.

    Raises
    ------
    InvalidParameters
        If a name is in both mappings although only the constructor has it, or if neither has it.
    """
    constructor, method = signature.constructor, signature.parameters
    if constructor is None or method is None or method.takes_any_name:
        return init, given
    others = _names(constructor) - _names(method)
    moved = [name for name in given if name in others]
    if not moved:
        _check_known(constructor, method, given)
        return init, given
    for name in moved:
        if name in init:
            raise InvalidParameters(
                f"{name} is in init and in the other parameters, and only the constructor has it: pass it once."
            )
    rest = {name: value for name, value in given.items() if name not in others}
    _check_known(constructor, method, rest)
    return {**init, **{name: given[name] for name in moved}}, rest


def may_clash(signature: TargetSignature) -> bool:
    """Return whether the method may take a name of the constructor, which then has to be given in ``init``."""
    constructor, method = signature.constructor, signature.parameters
    if constructor is None or method is None:
        return True
    return method.takes_any_name or bool(_names(constructor) & _names(method))


def _check_known(constructor: Signature, method: Signature, given: Mapping[str, Any]) -> None:
    """Refuse a name that neither has, if the constructor has names that may have been meant; else the method refuses it."""
    if not constructor.parameters:
        return
    known = [each.name for each in (*method.parameters, *constructor.parameters)]
    name = next((name for name in given if name not in known), None)
    if name is not None:
        own, others = (", ".join(each.name for each in takes.parameters) for takes in (method, constructor))
        raise InvalidParameters(
            f"{method.what} has no parameter {name}; it takes {own or 'none'}, and its constructor takes {others}."
            f"{did_you_mean(name, known)}"
        )


def _names(takes: Signature) -> set[str]:
    return {each.name for each in takes.parameters}
