"""The steps from a request to what can be stored, the same for one job and for a group: all jobs are prepared, or none.

Permission, options, the given parameters, inspection of the target (with the class's ``on_submit``), what the
package's own classes require, encoding. It changes nothing: its callers store what it returns.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from ...configuration.settings import MAIN_MODULE, Settings
from ...errors import InvalidParameters, JobNotAllowed
from ...model import serialization
from ...model.call import Call
from ...model.records import Owner
from ...model.source import SourceFile
from ...store.submissions import NewGroup, Submission
from ...system import identity, place
from ...targets import allowlist, context, inspection, source, submitting_notebook, target_rules
from ...targets.allowlist import Permission
from ...targets.bound_call import BoundCall
from ...targets.inspection_steps import InspectionRequest, InspectionResult
from . import encoding, options
from .encoding import EncodedCall, EncodedCalls
from .options import Options
from .stages import GivenParameters, PreparationTrace, PreparedJob, PreparedSubmit, SubmitRequest


def prepare_submit(
    request: SubmitRequest, settings: Settings, now: float, trace: PreparationTrace | None = None, *, preview: bool = False
) -> PreparedSubmit:
    """Prepare a job, or the jobs of a group.

    Parameters
    ----------
    request : SubmitRequest
        The requested calls and their options.
    settings : Settings
        What the configuration files say.
    now : float
        Seconds since the epoch.
    trace : PreparationTrace, optional
        Filled with what was found out, even if the call is refused.
    preview : bool
        Whether nothing is to be stored: then no ``on_submit`` of a user's class is called.

    Raises
    ------
    BackgroundJobError
        If anything does not fit; the message names the thing, the rule and the fix.
    """
    trace = trace or PreparationTrace()
    permission = trace.permission = _permission(request, settings)
    chosen = trace.options = options.check(request.options, permission.entry, settings, now)
    _check_reuse(chosen, permission)
    _check_instance(request, permission, settings)
    if request.is_group:
        options.check_for_group(chosen)
    given = _given(request, settings)
    context.check_working_directory()
    inspected = trace.inspected = _inspected(request, permission, given, settings, preview=preview)
    encoded = _encoded(request, permission, given, inspected)
    trace.call = encoded.whole[0].call
    chosen_for_each = _options_of_jobs(request, chosen, inspected)
    trace.options = chosen_for_each[0]
    jobs = _jobs(chosen_for_each, encoded, inspected, now)
    group = _group(chosen, chosen_for_each, encoded, now)
    return PreparedSubmit(jobs, trace.options, inspected.path_prefix, group, encoded.shared and encoded.shared.pickled)


def bind_call(request: SubmitRequest, settings: Settings) -> tuple[Permission, EncodedCall, InspectionResult]:
    """Check and bind one call, without its options; the call is not stored.

    Raises
    ------
    BackgroundJobError
        See `prepare_submit`.
    """
    permission = _permission(request, settings)
    _check_instance(request, permission, settings)
    given = _given(request, settings)
    inspected = _inspected(request, permission, given, settings)
    return permission, _encoded(request, permission, given, inspected).whole[0], inspected


def _permission(request: SubmitRequest, settings: Settings) -> Permission:
    """Find the entry that allows the target; what its rule says of one that is not allowed goes first."""
    try:
        return allowlist.find_permission(request.target, settings)
    except JobNotAllowed:
        given = [each for each in (request.common, *request.calls[:1]) if isinstance(each, Mapping)]
        params = {name: value for each in given for name, value in each.items()}
        told = target_rules.of_name(request.target).unlisted(params, settings)
        if told is None:
            raise
        raise JobNotAllowed(told) from None


def _check_reuse(chosen: Options, permission: Permission) -> None:
    """Refuse `reuse` for targets without a source file to compare."""
    if chosen.reuse_since is not None and permission.by_value:
        name = permission.target.removeprefix(f"{MAIN_MODULE}.")
        raise InvalidParameters(
            f"reuse compares source files, but {name} is defined in the notebook: move it to a module, or leave out reuse."
        )


def _check_instance(request: SubmitRequest, permission: Permission, settings: Settings) -> None:
    """Check that an instance may be sent, and that it needs no constructor."""
    if request.instance is None:
        return
    allowlist.check_instance(permission, settings)
    if request.init:
        raise InvalidParameters(
            f"init is for a new instance, but {permission.target} is called on the one that you pass: leave out init."
        )


def _given(request: SubmitRequest, settings: Settings) -> GivenParameters:
    init, common = options.mapping(request.init, "init"), options.mapping(request.common, "common")
    what = "call {}" if request.is_group else "params"
    own = tuple(options.mapping(each, what.format(number)) for number, each in enumerate(request.calls))
    if not own:
        raise InvalidParameters("There is nothing to submit: pass a list of parameters, one dict per job.")
    options.check_not_twice(common, own)
    groups = [init, common, *own, {serialization.SELF: request.instance}]
    return GivenParameters(init, common, own, encoding.secret_names(groups, settings.secret_names))


def _inspected(
    request: SubmitRequest, permission: Permission, given: GivenParameters, settings: Settings, *, preview: bool = False
) -> InspectionResult:
    """Inspect the target, and check that its demands are permitted."""
    init = given.init if request.instance is None else None
    what = InspectionRequest(permission, init, given.calls, given.secrets, request.code, preview)
    inspected = inspection.inspect(what, request.tell)
    if inspected.submit_hook != "not called":  # otherwise its parameters are not known yet
        rule = target_rules.of(inspected.signature.demand)
        for call in inspected.calls:
            rule.check(permission.target, call.params, settings)
    return inspected


def _encoded(request: SubmitRequest, permission: Permission, given: GivenParameters, inspected: InspectionResult) -> EncodedCalls:
    shared: Collection[str] | None = given.common if request.is_group else None
    if shared:
        shared = [name for name in shared if name in inspected.calls[0].params]  # the others are the constructor's
    if shared and inspected.submit_hook == "called":
        shared = encoding.shared_names(inspected.calls, shared)  # `on_submit` may have changed them
    sent: dict[str, Any] = {serialization.key(serialization.CODE, name): code for name, code in inspected.signature.code.items()}
    sent |= {} if request.instance is None else {serialization.INSTANCE_KEY: request.instance}
    return encoding.encode_calls(permission.target, inspected.calls, sent, given.secrets, shared)


def _options_of_jobs(request: SubmitRequest, chosen: Options, inspected: InspectionResult) -> list[Options]:
    """Return the options of each job, named by its target's rule unless it has a name; a group's name is not its jobs'."""
    rule = target_rules.of(inspected.signature.demand)
    if request.is_group:
        rule.check_group([call.params for call in inspected.calls])
        chosen = replace(chosen, name=None)
    names = [chosen.name or rule.job_name(call.params) for call in inspected.calls]
    return [chosen if name == chosen.name else replace(chosen, name=name) for name in names]


def _group(chosen: Options, jobs: Sequence[Options], encoded: EncodedCalls, now: float) -> NewGroup | None:
    """Return the group; if it has no name, it gets the name that all its jobs share."""
    if encoded.shared is None:
        return None
    names = {job.name for job in jobs}
    name = chosen.name or (names.pop() if len(names) == 1 else None)
    return NewGroup(os.urandom(16).hex(), name, encoded.shared.call, now)


def _jobs(chosen: Sequence[Options], encoded: EncodedCalls, inspected: InspectionResult, now: float) -> tuple[PreparedJob, ...]:
    shared = _Shared(
        submitted_at=now,
        owner=Owner(place.here(), identity.host()),
        source=source.read(inspected.signature.source),
        hooks=inspected.signature.hooks,
        booted_at=identity.booted_at(),
        notebook=submitting_notebook.path(),
    )
    parts = zip(chosen, inspected.calls, encoded.own, encoded.whole, strict=True)
    jobs = [PreparedJob(_submission(each, call, own.call, whole, shared), own.pickled) for each, call, own, whole in parts]
    _check_keys([job.submission.unique_key for job in jobs])
    return tuple(jobs)


class _Shared(Struct, frozen=True):
    """What all jobs of one submit have in common, besides their options."""

    submitted_at: float
    owner: Owner
    source: SourceFile | None
    hooks: tuple[str, ...]
    booted_at: float
    notebook: str | None


def _submission(chosen: Options, bound: BoundCall, call: Call, whole: EncodedCall, shared: _Shared) -> Submission:
    return Submission(
        uid=os.urandom(16).hex(),
        call=call,
        positional=bound.positional,
        hooks=shared.hooks,
        name=chosen.name,
        queue=chosen.queue,
        priority=chosen.priority,
        not_before=chosen.not_before,
        submitted_at=shared.submitted_at,
        retry_settings=chosen.retry_settings,
        timeout=chosen.timeout,
        owner=shared.owner,
        is_calendar_time=chosen.is_calendar_time,
        deadline=chosen.deadline,
        deadline_is_calendar_time=chosen.deadline_is_calendar_time,
        unique_key=encoding.identity_of(whole) if chosen.unique is True else chosen.unique or None,
        on_duplicate=chosen.on_duplicate,
        fingerprint=encoding.fingerprint(whole, shared.source),
        reuse_since=chosen.reuse_since,
        source=None if shared.source is None else tuple(shared.source.to_json()),
        booted_at=shared.booted_at,
        notebook=shared.notebook,
    )


def _check_keys(keys: Sequence[str | None]) -> None:
    """Check that no two jobs of a submit would hold one unique key."""
    first: dict[str, int] = {}
    for number, key in enumerate(keys):
        if key is not None and first.setdefault(key, number) != number:
            raise InvalidParameters(
                f"call {number} has the same parameters as call {first[key]}, but unique=True allows only one such job: "
                "leave one out."
            )
