"""Turn a requested call into jobs that can be stored: check the allowlist, bind the parameters, check the options.

It changes nothing: its callers store what it returns.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...configuration.settings import NOTEBOOK, Settings
from ...errors import InvalidParameters
from ...model import redaction
from ...model.call import Call
from ...model.records import Owner
from ...store.submissions import NewGroup, Submission
from ...system import identity, place
from ...targets import allowlist, context, demands, inspection, source
from ...targets.allowlist import Permission
from ...targets.inspection import Bound
from . import encoding, options
from .encoding import Split
from .options import Options


@dataclass(frozen=True, slots=True)
class Asked:
    """A requested call, or several of one target, not yet checked.

    Parameters
    ----------
    target : str
        As typed.
    calls : sequence of mapping
        The parameters of each call.
    init : mapping or None
        Parameters of the constructor.
    common : mapping or None
        Parameters that several calls share.
    options : mapping
        Options of `submit`.
    code : mapping or None
        The target's code as an earlier job received it by value; None: the code defined here.
    """

    target: str
    calls: Sequence[Mapping[str, Any] | None]
    init: Mapping[str, Any] | None
    common: Mapping[str, Any] | None
    options: Mapping[str, Any]
    code: Mapping[str, bytes] | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call that can be stored as a job.

    Parameters
    ----------
    submission : Submission
        The job, without the ids of the jobs that it depends on.
    options : Options
        The checked options.
    pickled : bytes or None
        Its parameters that are not plain.
    """

    submission: Submission
    options: Options
    pickled: bytes | None
    first: tuple[str, ...] = ()  #: folders that go first on its import path


@dataclass(slots=True)
class Trail:
    """What the preparation has found out so far: each is None until it is known."""

    permission: Permission | None = None
    options: Options | None = None
    bound: Bound | None = None
    call: Call | None = None


def bind(
    permission: Permission,
    params: Mapping[str, Any] | None,
    init: Mapping[str, Any] | None,
    settings: Settings,
    code: Mapping[str, bytes] | None = None,
) -> tuple[Split, Bound]:
    """Bind the parameters of one call of an allowed target, and split them as they would be stored.

    Raises
    ------
    InvalidTarget, InvalidParameters
        If the target can't be called, or the parameters don't fit.
    """
    init, params = options.mapping(init, "init"), options.mapping(params, "params")
    secrets = encoding.secret_names([init, params], settings.secret_names)
    bound = inspection.look(permission, init, params, secrets, code)
    allowlist.check_demand(bound.demand, permission.target, bound.params, settings)
    return encoding.split(permission.target, bound, secrets), bound


def prepare(asked: Asked, settings: Settings, now: float, trail: Trail | None = None) -> Prepared:
    """Prepare one job.

    Parameters
    ----------
    asked : Asked
        The call and its options.
    settings : Settings
        What the configuration files say.
    now : float
        Seconds since the epoch.
    trail : Trail, optional
        Filled with what was found out, even if the call is refused.

    Raises
    ------
    BackgroundJobError
        If anything does not fit; the message names the thing, the rule and the fix.
    """
    trail = trail or Trail()
    permission = trail.permission = allowlist.find(asked.target, settings)
    chosen = trail.options = options.check(asked.options, permission.entry, settings, now)
    _check_reuse(chosen, permission)
    split, bound = bind(permission, asked.calls[0], asked.init, settings, asked.code)
    trail.bound, trail.call = bound, split.call
    chosen = trail.options = _named(chosen, bound)
    context.check_working_directory()
    return Prepared(_submission(split, bound, chosen, now), chosen, split.pickled, bound.first)


def _check_reuse(chosen: Options, permission: Permission) -> None:
    """Refuse `reuse` for targets without a source file to compare."""
    if chosen.reuse_since is not None and permission.by_value:
        name = permission.target.removeprefix(f"{NOTEBOOK}.")
        raise InvalidParameters(
            f"reuse compares source files, but {name} is defined in the notebook: move it to a module, or leave out reuse."
        )


def _named(chosen: Options, bound: Bound) -> Options:
    """Name a job after the notebook that it runs, unless it has a name."""
    if chosen.name is not None or bound.demand != demands.NOTEBOOK:
        return chosen
    name = redaction.cut(redaction.one_line(os.path.basename(bound.params["path"])))
    return chosen if name.isdigit() else replace(chosen, name=name)


def _submission(split: Split, bound: Bound, chosen: Options, now: float) -> Submission:
    seen = source.look(bound.source)
    return Submission(
        uid=os.urandom(16).hex(),
        call=split.call,
        positional=bound.positional,
        name=chosen.name,
        queue=chosen.queue,
        priority=chosen.priority,
        not_before=chosen.not_before,
        submitted_at=now,
        rules=chosen.rules,
        timeout=chosen.timeout,
        owner=Owner(place.here(), identity.host()),
        timed=chosen.timed,
        deadline=chosen.deadline,
        deadline_timed=chosen.deadline_timed,
        unique_key=encoding.identity_of(split) if chosen.unique is True else chosen.unique or None,
        on_duplicate=chosen.on_duplicate,
        fingerprint=encoding.fingerprint(split, seen),
        reuse_since=chosen.reuse_since,
        source=None if seen is None else tuple(seen.to_json()),
        hooks=bound.hooks,
        booted_at=identity.booted_at(),
    )


@dataclass(frozen=True, slots=True)
class PreparedGroup:
    """Calls that can be stored as the jobs of a group; a job's own parameters exclude the common ones."""

    group: NewGroup
    pickled: bytes | None  #: of the common parameters
    jobs: list[Prepared]
    first: tuple[str, ...] = ()  #: folders that go first on their import path


def prepare_many(asked: Asked, settings: Settings, now: float) -> PreparedGroup:
    """Prepare the jobs of a group: all, or none.

    Raises
    ------
    BackgroundJobError
        If anything in any of them does not fit.
    """
    permission = allowlist.find(asked.target, settings)
    shared, given = options.mapping(asked.common, "common"), dict(asked.options)
    own = [options.mapping(each, f"call {number}") for number, each in enumerate(asked.calls)]
    _check_calls(own, shared, given)
    name = options.name(given.pop("name", None))
    chosen = options.check(given, permission.entry, settings, now)
    init = options.mapping(asked.init, "init")
    secrets = encoding.secret_names([init, shared, *own], settings.secret_names)
    bound = inspection.look_at_all(permission, init, [{**shared, **each} for each in own], secrets)
    for each in bound:
        allowlist.check_demand(each.demand, permission.target, each.params, settings)
    if bound[0].demand == demands.NOTEBOOK:
        _check_outputs(bound)
    context.check_working_directory()
    same = {key: bound[0].params[key] for key in shared}
    together = encoding.split(permission.target, Bound({}, same, (), code=bound[0].code), secrets)
    jobs = []
    for each in bound:
        rest = replace(each, params={key: value for key, value in each.params.items() if key not in shared}, code={})
        split = encoding.split(permission.target, rest, secrets)
        job = _submission(split, rest, chosen, now)
        jobs.append(Prepared(replace(job, fingerprint=None), chosen, split.pickled))
    return PreparedGroup(NewGroup(os.urandom(16).hex(), name, together.call, now), together.pickled, jobs, bound[0].first)


def _check_outputs(bound: Sequence[Bound]) -> None:
    """Check that no notebook of a group overwrites the output of another."""
    outputs = [str(each.params.get("output") or os.sep) for each in bound]  # a subclass may have none
    files = [file for file in outputs if not file.endswith(os.sep)]
    if len(set(files)) < len(files):
        same = next(file for file in files if files.count(file) > 1)
        raise InvalidParameters(f"Several jobs would write to the same output {same!r}: pass a folder.")


_NOT_FOR_MANY = ("unique", "on_duplicate", "reuse")


def _check_calls(own: Sequence[Mapping[str, Any]], shared: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    if not own:
        raise InvalidParameters("There is nothing to submit: pass a list of parameters, one dict per job.")
    for number, each in enumerate(own):
        twice = [key for key in each if key in shared]
        if twice:
            raise InvalidParameters(f"{twice[0]} is in common and in call {number}: pass it only once.")
    refused = [option for option in _NOT_FOR_MANY if given.get(option) not in (None, "reject")]
    if refused:
        raise InvalidParameters(
            f"submit_many does not take {refused[0]}, which applies to a single job: submit those jobs one by one."
        )
