"""From a call as somebody asks for it to jobs that may be stored: allowed, its parameters bound, its options checked.

It changes nothing: whoever calls it stores what it returns.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from . import allowlist, inspection, options, parameters, redaction, snapshot, source
from .allowlist import Permission
from .call import Call
from .errors import InvalidParameters
from .inspection import Bound
from .models import Owner
from .options import Options
from .process import identity
from .settings import Settings
from .store.submissions import NewGroup, Submission


@dataclass(frozen=True, slots=True)
class Asked:
    """A call, or several of one target, as somebody asks for it: nothing checked yet.

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
    """

    target: str
    calls: Sequence[Mapping[str, Any] | None]
    init: Mapping[str, Any] | None
    common: Mapping[str, Any] | None
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call that may be stored as a job.

    Parameters
    ----------
    submission : Submission
        The job, without the ids of those that it comes after.
    options : Options
        What was asked for.
    pickled : bytes or None
        Its parameters that are not plain.
    """

    submission: Submission
    options: Options
    pickled: bytes | None


def bind(
    permission: Permission, params: Mapping[str, Any] | None, init: Mapping[str, Any] | None, settings: Settings
) -> tuple[Call, bytes | None, Bound]:
    """Bind the parameters of one call of an allowed target, and split them as they would be stored.

    Raises
    ------
    InvalidTarget, InvalidParameters
        If the target can't be called, or the parameters don't fit.
    """
    init, params = options.mapping(init, "init"), options.mapping(params, "params")
    secrets = redaction.secret_names({**init, **params}, settings.secret_names)
    bound = inspection.look(permission, init, params, secrets)
    return *parameters.split(permission.target, bound, secrets), bound


def prepare(asked: Asked, settings: Settings, now: float) -> Prepared:
    """Prepare one job.

    Raises
    ------
    BackgroundJobError
        If anything does not fit; the message names the thing, the rule and the fix.
    """
    permission = allowlist.find(asked.target, settings)
    chosen = options.check(asked.options, permission.entry, settings, now)
    call, pickled, bound = bind(permission, asked.calls[0], asked.init, settings)
    snapshot.check_working_directory()
    return Prepared(_submission(call, bound, pickled, chosen, now), chosen, pickled)


def _submission(call: Call, bound: Bound, pickled: bytes | None, chosen: Options, now: float) -> Submission:
    seen = source.look(bound.source)
    return Submission(
        uid=os.urandom(16).hex(),
        call=call,
        positional=bound.positional,
        name=chosen.name,
        queue=chosen.queue,
        priority=chosen.priority,
        not_before=chosen.not_before,
        submitted_at=now,
        rules=chosen.rules,
        timeout=chosen.timeout,
        owner=Owner(identity.host(), identity.pid_namespace()),
        timed=chosen.timed,
        deadline=chosen.deadline,
        deadline_timed=chosen.deadline_timed,
        unique_key=parameters.identity_of(call, pickled) if chosen.unique is True else chosen.unique or None,
        on_duplicate=chosen.on_duplicate,
        fingerprint=parameters.fingerprint(call, pickled, seen),
        reuse_since=chosen.reuse_since,
        source=None if seen is None else tuple(seen.to_json()),
        hooks=bound.hooks,
    )


@dataclass(frozen=True, slots=True)
class PreparedGroup:
    """Calls that may be stored as the jobs of a group; a job's own parameters are without the common ones."""

    group: NewGroup
    pickled: bytes | None  #: of the common parameters
    jobs: list[Prepared]


def prepare_many(asked: Asked, settings: Settings, now: float) -> PreparedGroup:
    """Prepare the jobs of a group: all, or none.

    Raises
    ------
    BackgroundJobError
        If anything of any of them does not fit.
    """
    permission = allowlist.find(asked.target, settings)
    shared, given = options.mapping(asked.common, "common"), dict(asked.options)
    own = [options.mapping(each, f"call {number}") for number, each in enumerate(asked.calls)]
    _check_calls(own, shared, given)
    name = options.name(given.pop("name", None))
    chosen = options.check(given, permission.entry, settings, now)
    init = options.mapping(asked.init, "init")
    names = {**init, **shared}.keys() | {key for each in own for key in each}
    secrets = redaction.secret_names(sorted(names), settings.secret_names)
    bound = inspection.look_at_all(permission, init, [{**shared, **each} for each in own], secrets)
    snapshot.check_working_directory()
    same = {key: bound[0].params[key] for key in shared}
    common_call, pickled = parameters.split(permission.target, Bound({}, same, ()), secrets)
    jobs = []
    for each in bound:
        rest = replace(each, params={key: value for key, value in each.params.items() if key not in shared})
        call, own_pickled = parameters.split(permission.target, rest, secrets)
        job = _submission(call, rest, own_pickled, chosen, now)
        jobs.append(Prepared(replace(job, fingerprint=None), chosen, own_pickled))
    return PreparedGroup(NewGroup(os.urandom(16).hex(), name, common_call, now), pickled, jobs)


_NOT_FOR_MANY = ("unique", "on_duplicate", "reuse")


def _check_calls(own: Sequence[Mapping[str, Any]], shared: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    if not own:
        raise InvalidParameters("There is nothing to submit: give a list of parameters, one dict for each job.")
    for number, each in enumerate(own):
        twice = [key for key in each if key in shared]
        if twice:
            raise InvalidParameters(f"{twice[0]} is in common and in call {number}: give it once.")
    refused = [option for option in _NOT_FOR_MANY if given.get(option) not in (None, "reject")]
    if refused:
        raise InvalidParameters(f"submit_many takes no {refused[0]}: it is about one job; submit those one by one.")
