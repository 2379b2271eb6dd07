"""Refuse a keyword that is not an option of a function that submits: most often it is a parameter, and belongs in the mapping."""

from collections.abc import Mapping
from typing import Any

from ...errors import InvalidParameters
from ...model import redaction
from ...model.suggestion import did_you_mean
from . import notebook_call
from .option_table import NAMES

#: How each function takes parameters, given the target and a mapping as text.
_CALLS = {
    "submit": "bg.submit({}, {})",
    "submit_many": "bg.submit_many({}, calls, common={})",
    "run_background_job": "bg.run_background_job({}, method, {})",
}

#: How each takes those of the runner of notebooks itself.
_NOTEBOOK_CALLS = {
    "submit": "bg.submit({target!r}, {{'path': {path}, 'parameters': {params}, {own}}})",
    "submit_many": "bg.submit_many({target!r}, [{{'parameters': each}} for each in calls], common={{'path': {path}, {own}}})",
}

#: Similarity of a keyword to an option that makes it a misspelled one.
_NEAR = 0.75


def check(function: str, target: object, given: Mapping[str, Any]) -> None:
    """Check that keywords are options.

    Raises
    ------
    InvalidParameters
        If one is not.
    """
    unknown = {name: value for name, value in given.items() if name not in NAMES}
    if unknown:
        raise refusal(function, target, None, unknown)


def refusal(function: str, target: object, params: object, unknown: Mapping[str, Any]) -> InvalidParameters:
    """Return the refusal of keywords that are not options.

    Parameters
    ----------
    function : str
        The function that was called.
    target : object
        As given.
    params : object
        The parameters that were given as a mapping.
    unknown : mapping
        The keywords, with their values.
    """
    if notebook_call.is_notebook(target) and function in _NOTEBOOK_CALLS and unknown.keys() <= notebook_call.OWN:
        return _of_runner(function, target, params, unknown)
    name = next(iter(unknown))
    said = f"{redaction.cut(redaction.one_line(name))} is not an option of {function}"
    hint = did_you_mean(name, NAMES, _NEAR)
    if hint:
        return InvalidParameters(f"{said}.{hint}")
    called = redaction.quoted(target) if isinstance(target, str) else getattr(target, "__qualname__", "target")
    whole = {**(params if isinstance(params, Mapping) else {}), **unknown}
    secrets = redaction.secret_names(whole, redaction.SECRET_NAMES)
    written = redaction.quoted(redaction.blanked(whole, secrets))
    return InvalidParameters(f"{said}: parameters are one mapping: {_CALLS[function].format(called, written)}.")


def _of_runner(function: str, target: object, params: object, unknown: Mapping[str, Any]) -> InvalidParameters:
    """Return the refusal of keywords that are parameters of what runs notebooks, not of the notebook."""
    own = redaction.quoted(dict(unknown)).removeprefix("{").removesuffix("}")
    given = dict(params) if isinstance(params, Mapping) else {}
    shown = redaction.quoted(redaction.blanked(given, redaction.secret_names(given, redaction.SECRET_NAMES)))
    call = _NOTEBOOK_CALLS[function].format(target=notebook_call.TARGET, path=redaction.quoted(target), params=shown, own=own)
    return InvalidParameters(f"{next(iter(unknown))} is a parameter of {notebook_call.TARGET}, not of the notebook: {call}.")
