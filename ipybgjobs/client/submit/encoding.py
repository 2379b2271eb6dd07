"""Turn bound parameters into what is stored: plain JSON for the row, pickles for the job's folder. It writes nothing."""

import datetime as dt
import hashlib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from ...errors import InvalidParameters
from ...model import redaction, serialization, sizes
from ...model.call import Call
from ...model.path_with_content import PathWithContent
from ...model.source import SourceFile
from ...targets.bound_call import BoundCall


class EncodedCall(NamedTuple):
    """A call, with its parameters as they are stored."""

    call: Call  #: what the row stores
    pickled: bytes | None  #: the parameters that are not plain
    contents: Mapping[str, str]  #: a digest of each of those


class EncodedCalls(NamedTuple):
    """Calls of one target, as they are stored."""

    shared: EncodedCall | None  #: what the jobs of a group share
    own: tuple[EncodedCall, ...]  #: each without that
    whole: tuple[EncodedCall, ...]  #: each with that, only to compute digests; no value is pickled twice


def encode_calls(
    target: str,
    calls: Sequence[BoundCall],
    sent: Mapping[str, Any],
    secrets: tuple[str, ...],
    shared: Collection[str] | None,
) -> EncodedCalls:
    """Encode calls as one job, or as the jobs of a group.

    Parameters
    ----------
    target : str
        The dotted path of what is called.
    calls : sequence of BoundCall
        Calls whose parameters fit.
    sent : mapping
        What is sent by value of the target, by key (`serialization.key`): its code, and the instance whose method is called.
    secrets : tuple of str
        Names of parameters whose values are never shown.
    shared : collection of str or None
        Names of parameters that the jobs of a group share; None: there is one call, and no group.

    Raises
    ------
    InvalidParameters
        If a parameter can't be pickled.
    """
    if shared is None:
        own = tuple(encode_call(target, call.init, call.params, secrets, sent) for call in calls)
        return EncodedCalls(None, own, own)
    together = encode_call(target, {}, {name: calls[0].params[name] for name in shared}, secrets, sent)
    rests = ({name: value for name, value in call.params.items() if name not in shared} for call in calls)
    own = tuple(encode_call(target, call.init, rest, secrets) for call, rest in zip(calls, rests, strict=True))
    return EncodedCalls(together, own, tuple(_joined(together, each) for each in own))


def shared_names(calls: Sequence[BoundCall], names: Collection[str]) -> list[str]:
    """Return those parameters that have the same value in all calls."""
    return [
        name for name in names if len({_comparison_key(call.params, name) for call in calls}) == 1 and name in calls[0].params
    ]


def _comparison_key(params: Mapping[str, Any], name: str) -> str:
    try:
        return serialization.digest(params[name]) if name in params else ""
    except (Exception, SystemExit):  # it can't be pickled: `encode_call` reports that
        return name


def _joined(shared: EncodedCall, own: EncodedCall) -> EncodedCall:
    first, second = shared.call, own.call
    call = replace(second, params={**first.params, **second.params}, pickled={**first.pickled, **second.pickled})
    return EncodedCall(call, None, {**shared.contents, **own.contents})


def encode_call(
    target: str,
    init: Mapping[str, Any],
    params: Mapping[str, Any],
    secrets: tuple[str, ...],
    sent: Mapping[str, Any] | None = None,
) -> EncodedCall:
    """Split parameters into plain ones and others.

    Parameters
    ----------
    target : str
        The dotted path of what is called.
    init, params : mapping
        Checked and converted parameters.
    secrets : tuple of str
        Names of parameters whose values are never shown.
    sent : mapping, optional
        What is sent by value of the target, by key.

    Raises
    ------
    InvalidParameters
        If one can't be pickled.
    """
    parts = {serialization.INIT: init, serialization.PARAMS: params}
    others = dict(sent or {})
    others |= {
        serialization.key(part, name): value
        for part, values in parts.items()
        for name, value in values.items()
        if not serialization.is_plain(value)
    }
    plain_init = _plain_part(serialization.INIT, init, others)
    plain_params = _plain_part(serialization.PARAMS, params, others)
    if not others:
        hidden = tuple(redaction.secrets_in([init, params], secrets))
        return EncodedCall(Call(target, plain_init, plain_params, {}, secrets, hidden), None, {})
    try:
        described = {key: _described(key, value, secrets) for key, value in others.items()}
        hidden = tuple(redaction.secrets_in([init, params, others.get(serialization.INSTANCE_KEY)], secrets))
        pickled = _pickled(others)
        contents = {key: serialization.digest(value) for key, value in others.items()}
        return EncodedCall(Call(target, plain_init, plain_params, described, secrets, hidden), pickled, contents)
    except InvalidParameters:
        raise
    except (Exception, SystemExit) as error:  # an object may do anything when it is inspected
        raise _refused(others, "can't be inspected", f"{type(error).__name__}: {error}") from error


def secret_names(groups: Sequence[Mapping[str, Any]], given: Sequence[str]) -> tuple[str, ...]:
    """Return those names anywhere in the parameters whose values are never shown.

    Raises
    ------
    InvalidParameters
        If one of the parameters can't be inspected.
    """
    try:
        return redaction.secret_names(sorted(redaction.names_in(list(groups))), given)
    except (Exception, SystemExit) as error:
        values = {serialization.key(serialization.PARAMS, name): value for group in groups for name, value in group.items()}
        raise _refused(values, "can't be inspected", f"{type(error).__name__}: {error}") from error


def _plain_part(part: str, values: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the row stores: plain values; for the others None, or the path of a file whose content is pickled."""
    return {
        name: str(value) if isinstance(value, PathWithContent) else None if serialization.key(part, name) in others else value
        for name, value in values.items()
    }


def fingerprint(encoded: EncodedCall, source: SourceFile | None) -> str | None:
    """Return a fingerprint of a call with its content and source; None if there is no source file."""
    return None if source is None else _digest(encoded, source.digest)


def identity_of(encoded: EncodedCall) -> str:
    """Return what identifies a call with its content: the key of ``unique=True``."""
    return f"{encoded.call.target} {_digest(encoded, '')}"


def requested_unique(call: Call, key: str | None) -> str | bool | None:
    """Return the value of `unique` that was passed, from the key that a job holds."""
    if key is None:
        return None
    target, _, digest = key.rpartition(" ")
    return True if target == call.target and len(digest) == _DIGITS and set(digest) <= set("0123456789abcdef") else key


#: Number of digits of a digest.
_DIGITS = 64


def _digest(encoded: EncodedCall, source: str) -> str:
    call = encoded.call
    init, params = call.plain(serialization.INIT), call.plain(serialization.PARAMS)
    whole = json.dumps([call.target, init, params, encoded.contents or "", source], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()


def note_of_size(sent: Sequence[tuple[Call, bytes | None]], limit: int) -> str | None:
    """Return a note if a submit copies large parameters, in one job or in a whole group; None if they are small."""
    taken = [size(*copy) for copy in sent]
    if sum(taken) < limit:
        return None
    call, _ = sent[taken.index(max(taken))]
    names = [f"{serialization.split_key(key)[1]} {text}" for key, text in call.pickled.items()]
    names += [name for name, value in {**call.init, **call.params}.items() if len(json.dumps(value)) * 10 >= limit]
    return f"The parameters take {sizes.show(sum(taken))} ({', '.join(names)}) and are copied; consider passing a path instead."


def size(call: Call, pickled: bytes | None) -> int:
    """Return the size of a call's parameters as stored, in bytes."""
    return len(pickled or b"") + len(json.dumps([call.init, call.params]))


#: Modules whose values say by their text what they are.
_SAID_BY_TEXT = ("decimal", "fractions", "uuid")


def _described(key: str, value: Any, secrets: tuple[str, ...]) -> str:
    part, name = serialization.split_key(key)
    if part == serialization.CODE:
        return f"<code {name}>"
    if name in secrets:
        return redaction.BLANK
    if isinstance(value, PathWithContent):
        return redaction.cut(repr(str(value)))
    if isinstance(value, (dt.date, dt.time, dt.timedelta)) or type(value).__module__ in _SAID_BY_TEXT:
        return redaction.cut(redaction.one_line(str(value)))
    if isinstance(value, (os.PathLike, complex, bytes, tuple, set, frozenset, range)):
        return redaction.cut(redaction.one_line(repr(redaction.blanked(value, secrets))))
    return serialization.describe(value)


def _pickled(values: dict[str, Any]) -> bytes:
    try:
        return serialization.dump(values)
    except Exception as error:
        raise _refused(values, "can't be sent to another process", str(error)) from error


def _refused(values: dict[str, Any], what: str, reason: str) -> InvalidParameters:
    key, value = _culprit(values)
    part, name = serialization.split_key(key)
    subject, fix = f"{name} is {_kind(value)}", "Pass something it can be rebuilt from, such as a path."
    if part == serialization.INSTANCE:
        kind, held = serialization.name_of_type(value), _kind(dict(getattr(value, "__dict__", {})))
        subject = f"The method's instance is a {kind}{held.removeprefix('a dict')}"
        fix = f"Pass the method of the class {kind}, and the constructor's parameters as init={{…}}."
    return InvalidParameters(f"{subject}, which {what}: {redaction.one_line(reason).rstrip('.')}. {fix}")


def _culprit(values: dict[Any, Any]) -> tuple[Any, Any]:
    """Return which of several values can't be sent."""
    return next(((name, value) for name, value in values.items() if not _can_be_sent(value)), next(iter(values.items())))


def _kind(value: Any) -> str:
    """Describe a value that can't be sent; for a dict, name the item to blame."""
    kind = f"a {serialization.name_of_type(value)}"
    if type(value) is not dict or not value:
        return kind
    key, item = _culprit(value)
    return f"{kind} whose {redaction.cut(repr(key))} is a {serialization.name_of_type(item)}"


def _can_be_sent(value: Any) -> bool:
    try:
        serialization.dump(value)
        serialization.digest(value)
        redaction.names_in(value)
    except (Exception, SystemExit):
        return False
    return True
