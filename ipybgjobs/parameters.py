"""From bound parameters to what is stored: plain JSON for the row, pickles for the job's folder."""

import hashlib
import json
import os
from typing import Any

from . import attempt, plain, redaction, sizes
from .call import Call
from .errors import InvalidParameters, StoreError
from .inspection import Bound
from .source import Source


def split(target: str, bound: Bound, secrets: tuple[str, ...]) -> tuple[Call, bytes | None]:
    """Split parameters into plain ones and others.

    Parameters
    ----------
    target : str
        The dotted path of what is called.
    bound : Bound
        Parameters that fit.
    secrets : tuple of str
        Names of parameters whose values are shown to nobody.

    Returns
    -------
    Call
        What the row says.
    bytes or None
        The others, pickled.

    Raises
    ------
    InvalidParameters
        If one can't be pickled.
    """
    groups = {"init": bound.init, "params": bound.params}
    others = {
        f"{group}.{name}": value
        for group, values in groups.items()
        for name, value in values.items()
        if not plain.is_plain(value)
    }
    rest = {group: {name: v for name, v in values.items() if f"{group}.{name}" not in others} for group, values in groups.items()}
    described = {slot: redaction.BLANK if slot.partition(".")[2] in secrets else _described(v) for slot, v in others.items()}
    hidden = tuple(redaction.secrets_in(groups, secrets))
    call = Call(target, rest["init"], rest["params"], described, secrets, hidden)
    return call, _pickled(others) if others else None


def fingerprint(call: Call, pickled: bytes | None, source: Source | None) -> str | None:
    """Return what tells a call with its content and source from others; None where there is no source to look at."""
    return None if source is None else _digest(call, pickled, source.digest)


def identity_of(call: Call, pickled: bytes | None) -> str:
    """Return what tells a call with its content from others: the key of ``unique=True``."""
    return f"{call.target} {_digest(call, pickled, '')}"


def _digest(call: Call, pickled: bytes | None, source: str) -> str:
    content = hashlib.sha256(pickled or b"").hexdigest()
    whole = json.dumps([call.target, call.init, call.params, content, source], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()


def note_of_size(call: Call, pickled: bytes | None, limit: int) -> str | None:
    """Say that a submit copies large parameters; None where they are not."""
    if pickled is None or len(pickled) < limit:
        return None
    names = ", ".join(f"{slot.partition('.')[2]} {text}" for slot, text in call.pickled.items())
    return f"{sizes.show(len(pickled))} of parameters are copied for this job ({names}); a path in their place would not be."


def _described(value: Any) -> str:
    if isinstance(value, (os.PathLike, complex, bytes, tuple, set, frozenset)):
        return redaction.cut(redaction.one_line(repr(redaction.blanked(value, ()))))
    return plain.describe(value)


def _pickled(values: dict[str, Any]) -> bytes:
    try:
        return plain.dump(values)
    except Exception as error:
        slot = next((slot for slot, value in values.items() if not _can_be_pickled(value)), next(iter(values)))
        kind = type(values[slot]).__name__
        raise InvalidParameters(
            f"{slot.partition('.')[2]} is a {kind}, which can't be sent to another process: {error}. "
            "Send what it is made from instead, such as a path."
        ) from error


def _can_be_pickled(value: Any) -> bool:
    try:
        plain.dump(value)
    except Exception:
        return False
    return True


def keep(folder: str, content: bytes) -> None:
    """Write pickled parameters into a new job folder; on disk when this returns.

    Raises
    ------
    StoreError
        If the folder can't be written.
    """
    try:
        os.mkdir(folder, mode=0o700)
        attempt.write_whole(f"{folder}/{attempt.PARAMETERS}", content, durable=True)
        attempt.sync_folder(os.path.dirname(folder))
    except OSError as error:
        raise StoreError(f"{folder} can't be written: {error.strerror}. Nothing was submitted.") from error
