"""The request to inspect calls of an allowed target and its result, both frozen, and the steps between them.

The steps are the same in every process: get the signature, bind the parameters, let the class's ``on_submit`` prepare them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from ..configuration.settings import MAIN_MODULE
from ..errors import InvalidTarget
from ..model import serialization
from . import bound_call, bytecode, resolve, submit_hook, target_signature
from .allowlist import Permission
from .bound_call import BoundCall
from .submit_hook import HookUse
from .target_signature import TargetSignature


class InspectionRequest(Struct, frozen=True):
    """The questions: whether a target exists, what it takes, and whether the parameters of some calls fit.

    Parameters
    ----------
    permission : Permission
        The allowed target.
    init : mapping or None
        Parameters of the constructor; None: the method is called on an instance that is sent.
    calls : sequence of mapping
        Parameters of the method, for each call.
    secrets : tuple of str
        Names whose values appear in no message.
    code : mapping, optional
        The target's code as an earlier job received it by value; by default the code defined here.
    preview : bool
        Whether nothing will be submitted: then the ``on_submit`` of a user's class is not called.
    """

    permission: Permission
    init: Mapping[str, Any] | None
    calls: Sequence[Mapping[str, Any]]
    secrets: tuple[str, ...] = ()
    code: Mapping[str, bytes] | None = None
    preview: bool = False


class InspectionResult(Struct, frozen=True):
    """The answers.

    Parameters
    ----------
    signature : TargetSignature
        The signature of the target.
    calls : tuple of BoundCall
        The calls, checked and converted.
    submit_hook : {"none", "called", "not called"}
        Whether the class's ``on_submit`` was called.
    path_prefix : tuple of str
        Folders that go first on a job's import path.
    """

    signature: TargetSignature
    calls: tuple[BoundCall, ...]
    submit_hook: HookUse = "none"
    path_prefix: tuple[str, ...] = ()


def inspect_here(request: InspectionRequest) -> InspectionResult:
    """Inspect in this process: import the module, or load the code that an earlier job received.

    Raises
    ------
    InvalidTarget
        If the target can't be imported or called.
    InvalidParameters
        If the parameters don't fit.
    """
    permission = request.permission
    resolve.define(request.code or {})
    with bytecode.loading():
        owner = resolve.resolve(permission.entry.key, permission.entry.only_from)
    code = dict(request.code or _code(permission)) if permission.by_value else {}
    signature = target_signature.of(owner, permission.method, code)
    calls = bound_call.bind(signature, request.init, request.calls, request.secrets)
    use = submit_hook.use(signature, preview=request.preview)
    if use == "called":
        calls = submit_hook.call(owner, signature, calls, request.calls, request.secrets)
    return InspectionResult(signature, tuple(each.placed(signature) for each in calls), use)


def inspect_by_signature(request: InspectionRequest, signature: TargetSignature) -> InspectionResult:
    """Inspect by a portable signature alone, whichever process returned it; imports nothing."""
    calls = bound_call.bind(signature, request.init, request.calls, request.secrets)
    return InspectionResult(signature, tuple(each.placed(signature) for each in calls))


def _code(permission: Permission) -> dict[str, bytes]:
    """Return the code to send for a target that no other process can import: its outermost class, or the function."""
    name = permission.target.split(".")[1]
    try:
        return {name: serialization.dump(getattr(resolve.resolve(MAIN_MODULE), name))}
    except Exception as error:
        raise InvalidTarget(
            f"{name} can't be sent to another process: {error}. Create what can't be sent inside it, or move it to a module."
        ) from error
