"""Submitting jobs, one or many, and running a call in this process; by name, or by class.

Some annotations are in quotes, because a notebook's help would show them at length.
"""

import datetime as dt
import itertools
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Unpack

from ..client.client import client
from ..client.jobs.group import Group
from ..client.jobs.job import Job
from ..client.submit.option_table import Dependencies, OnDuplicate, SubmitManyOptions, SubmitOptions
from ..errors import InvalidParameters, JobNotAllowed
from ..model.redaction import quoted
from ..targets import allowlist


def submit(  # noqa: PLR0913 - the options of a job
    target: str,
    params: Mapping[str, Any] | None = None,
    *,
    init: Mapping[str, Any] | None = None,
    name: str | None = None,
    queue: str | None = None,
    priority: int = 0,
    delay: float | str | None = None,
    at: str | dt.datetime | None = None,
    after: "Dependencies | None" = (),
    after_any: "Dependencies | None" = (),
    timeout: float | str | None = None,
    retry: int | Mapping[str, Any] | None = None,
    retry_until: float | str | dt.datetime | None = None,
    unique: str | bool | None = None,
    on_duplicate: OnDuplicate = "reject",
    reuse: bool | float | str | None = None,
) -> Job:
    """Submit a job: it is on disk when this returns, and runs even if this process ends.

    Parameters
    ----------
    target : str
        ``module.Class.method``, ``module.function``, or ``Class.method`` if only one allowed class has the name.
    params : mapping, optional
        Parameters by name; values that are not plain JSON are pickled.
    init : mapping, optional
        Parameters of the constructor.
    name : str, optional
        A name to find the job by.
    queue : str, optional
        By default the allowlist entry's, or else ``"default"``.
    priority : int, optional
        Higher runs first, then older; 0 by default.
    delay : float or str, optional
        Wait at least this long before the start: seconds, or text such as ``"10m"``.
    at : str or datetime, optional
        Do not start before this time: ``"2026-11-24 22:30"``, local if it has no offset; ``"22:30"`` is the next one.
    after : job, id, name, group, or several of them, optional
        Start when all of these have succeeded; if one of them fails or is cancelled, this job fails too.
    after_any : as `after`, optional
        Start when all of these have finished, whatever their outcome.
    timeout : float or str, optional
        Duration after which an attempt is stopped; by default the entry's, if it has one.
    retry : int or mapping, optional
        ``max_attempts``, or settings of `RetryPolicy` that differ for this job.
    retry_until : float or str or datetime, optional
        A deadline for the whole job, as a duration or a time: a running attempt is stopped then, and no other one starts.
    unique : str or True, optional
        A key that only one unfinished job can hold; True: the target with its parameters.
    on_duplicate : str, optional
        What to do if another job holds the key: ``"reject"`` this one; return the ``"existing"`` one; or ``"replace"`` it, which
        cancels it and starts this job once it has finished.
    reuse : bool or float or str, optional
        Return the newest job that succeeded (within this duration) with the same target, parameters and source file, if
        there is one, and start nothing.

    Returns
    -------
    Job
        The accepted job.

    Raises
    ------
    JobNotAllowed
        If the target is not on the allowlist.
    InvalidTarget
        If the target can't be imported or called.
    InvalidParameters
        If parameters or options don't fit.
    InvalidRequest
        If it depends on a job that has failed or was cancelled.
    UnknownJob
        If it depends on a job that does not exist.
    DuplicateJob
        If another job holds the unique key.
    ConfigurationError
        If a configuration file is broken.
    StoreError
        If the state folder can't be used.

    Examples
    --------
    >>> job = ipybgjobs.submit("training.Trainer.fit", {"epochs": 3}, init={"lr": 0.1}, timeout="2h")
    >>> job.result()
    {'epochs': 3, 'lr': 0.1}
    """
    return client().submit(
        target,
        params,
        init=init,
        name=name,
        queue=queue,
        priority=priority,
        delay=delay,
        at=at,
        after=after,
        after_any=after_any,
        timeout=timeout,
        retry=retry,
        retry_until=retry_until,
        unique=unique,
        on_duplicate=on_duplicate,
        reuse=reuse,
    )


def submit_many(
    target: str,
    calls: Iterable[Mapping[str, Any]],
    *,
    common: Mapping[str, Any] | None = None,
    init: Mapping[str, Any] | None = None,
    name: str | None = None,
    **options: "Unpack[SubmitManyOptions]",
) -> Group:
    """Submit many jobs of one target in one transaction: all of them, or none.

    Parameters
    ----------
    target : str
        As for `submit`.
    calls : iterable of mapping
        The parameters of each job; `grid` makes them.
    common : mapping, optional
        Parameters that all jobs share; stored once.
    init : mapping, optional
        Parameters of the constructor.
    name : str, optional
        A name to find the group by.
    **options : SubmitManyOptions
        Options of `submit`, for every job. With ``unique=True``, the target and parameters of each job are its key; a duplicate
        refuses the whole group, or is replaced with ``on_duplicate="replace"``. A key as text, ``on_duplicate="existing"`` and
        ``reuse`` are refused: all jobs of a group are new.

    Returns
    -------
    Group
        The jobs, to wait for, cancel, count and read as one.

    Raises
    ------
    BackgroundJobError
        As for `submit`; nothing was submitted then.

    Examples
    --------
    >>> group = ipybgjobs.submit_many("training.square", [{"x": 1}, {"x": 2}, {"x": 3}], name="squares")
    >>> group.results()
    [1, 4, 9]
    """
    return client().submit_many(target, calls, common=common, init=init, name=name, **options)


def grid(**values: Iterable[Any]) -> list[dict[str, Any]]:
    """Return every combination of values: ``grid(lr=[0.1, 0.01], seed=range(3))`` has six; the last name varies fastest.

    Raises
    ------
    InvalidParameters
        If a name is not given several values.

    Examples
    --------
    >>> ipybgjobs.grid(lr=[0.1, 0.01], seed=range(2))
    [{'lr': 0.1, 'seed': 0}, {'lr': 0.1, 'seed': 1}, {'lr': 0.01, 'seed': 0}, {'lr': 0.01, 'seed': 1}]
    """
    for name, choices in values.items():
        if isinstance(choices, (str, bytes)) or not isinstance(choices, Iterable):
            raise InvalidParameters(f"grid needs several values for {name}, such as a list or a range; got {quoted(choices)}.")
    return [dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values())]


def run_background_job(
    cls: type | Callable[..., Any] | str,
    method: str | None = None,
    params: Mapping[str, Any] | None = None,
    *,
    init: Mapping[str, Any] | None = None,
    **options: "Unpack[SubmitOptions]",
) -> Job:
    """Submit a job by class, method name and parameters.

    Parameters
    ----------
    cls : type or callable or str
        The class, or its dotted path; or a function, with `method` None.
    method : str, optional
        The method's name.
    params : mapping, optional
        Parameters by name.
    init : mapping, optional
        Parameters of the constructor.
    **options : SubmitOptions
        As for `submit`.

    Raises
    ------
    JobNotAllowed
        If `cls` is an instance or belongs to one, or what it names is not on the allowlist.
    InvalidParameters
        If a notebook's class or function is no longer the one that the notebook has, or parameters or options don't fit.
    BackgroundJobError
        As for `submit`.

    Examples
    --------
    >>> from training import Trainer
    >>> ipybgjobs.run_background_job(Trainer, "fit", {"epochs": 3}).result()
    {'epochs': 3, 'lr': 0.1}
    """
    if not isinstance(cls, str) and not hasattr(cls, "__qualname__"):
        raise JobNotAllowed(f"{quoted(cls)} is neither a class nor a function: pass the class itself, not an instance.")
    if not isinstance(getattr(cls, "__self__", None), (type, types.ModuleType, types.NoneType)):
        raise JobNotAllowed(
            f"{cls!r} belongs to an instance, and instances are not sent: pass the class, the method's name and init={{…}}."
        )
    key = cls if isinstance(cls, str) else path_of(cls)
    return submit(key if method is None else f"{key}.{method}", params, init=init, **options)


def path_of(cls: type | Callable[..., Any]) -> str:
    """Return the dotted path of a class or function: its own, or, if it is re-exported, the one that is allowed.

    Raises
    ------
    InvalidParameters
        If it is from a notebook that has redefined or deleted it.
    """
    own = f"{cls.__module__}.{cls.__qualname__}"
    settings = client().settings()
    if own in settings.allowed:
        return own
    if allowlist.is_by_value(own) and settings.notebook_code:
        _check_current(cls)
    for key in settings.allowed:
        module, _, name = key.rpartition(".")
        if getattr(sys.modules.get(module), name, None) is cls:
            return key
    return own


def _check_current(cls: type | Callable[..., Any]) -> None:
    """Check that a class or function sent by value is the one that the notebook has by that name."""
    name, there = cls.__qualname__, sys.modules.get(cls.__module__)
    if "." not in name and getattr(there, name, None) is not cls:
        raise InvalidParameters(f"{name} has since been redefined or deleted in this notebook: pass the current one.")


def run_here(target: str, params: Mapping[str, Any] | None = None, *, init: Mapping[str, Any] | None = None) -> Any:
    """Run a call in this process, to debug it: the allowlist and the checks of a job apply, and nothing is recorded.

    Modules of the target that have changed since they were imported are imported again. If an event loop is running, as in a
    notebook, an async method returns an awaitable.

    Returns
    -------
    Any
        What the method returns.

    Raises
    ------
    JobNotAllowed
        If the target is not on the allowlist.
    InvalidTarget
        If the target can't be imported or called.
    InvalidParameters
        If the parameters don't fit.
    ConfigurationError
        If a configuration file is broken.
    BaseException
        What the method raises.

    Examples
    --------
    >>> ipybgjobs.run_here("training.square", {"x": 4})
    16
    """
    return client().prepare_here(target, params, init=init)()
