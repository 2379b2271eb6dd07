"""Submitting jobs, one or many, and running a call in this process; by name, or by what a user has in hand.

Some annotations are in quotes, because a notebook's help would show them at length.
"""

import datetime as dt
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Never, Unpack

from ..client.client import client
from ..client.jobs.group import Group
from ..client.jobs.job import Job
from ..client.submit import notebook_call, unknown_options
from ..client.submit.option_table import Dependencies, OnDuplicate, SubmitManyOptions, SubmitOptions
from ..errors import InvalidParameters, JobNotAllowed
from ..model.redaction import quoted
from ..targets import callables

#: What a job calls, as text or in hand.
Target = str | Callable[..., Any]


def submit(  # noqa: PLR0913 - the options of a job
    target: "Target",
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
    **unknown: Never,
) -> Job:
    """Submit a job: it is on disk when this returns, and runs even if this process ends.

    Parameters
    ----------
    target : str or callable
        A function, or a method of a class: ``train``, ``Trainer.fit``; or its name: ``"module.Class.method"``,
        ``"module.function"``, a class or function of the notebook, or ``"Class.method"`` if only one allowed class has the name.
        The file of a notebook, ``"train.ipynb"``, runs it with these parameters (see `Notebook.run`).
        A method of an instance, ``trainer.fit``, sends the instance by value, where the configuration allows notebook code.
    params : mapping, optional
        Parameters by name; values that are not plain JSON are pickled. A name that only the constructor has goes to the
        constructor; a name that both have, or any name if the method takes ``**kwargs``, goes to the method.
    init : mapping, optional
        Parameters of the constructor; needed only for names that the method takes too.
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
        ``max_attempts``, or settings of `RetryPolicy` that differ for this job. If nothing asks for retries, here or in a file,
        only what may pass by itself is retried: `Retry`, a lost connection or another passing ``OSError``, a lost process.
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
    **unknown
        There are no other options: parameters are one mapping, `params`.

    Returns
    -------
    Job
        The accepted job.

    Raises
    ------
    JobNotAllowed
        If the target is not on the allowlist.
    InvalidTarget
        If the target can't be imported or called, or has no name by which a job finds it, such as a lambda.
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
    >>> from training import Trainer
    >>> ipybgjobs.submit(Trainer.fit, {"epochs": 2}).result()
    {'epochs': 2, 'lr': 0.1}
    """
    if unknown:
        raise unknown_options.refusal("submit", target, params, unknown)
    if notebook_call.is_notebook(target):
        target, params = notebook_call.TARGET, notebook_call.params(str(target), params)
    return client().submit(
        callables.of(target, client().settings),
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
    target: "Target",
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
    target : str or callable
        As for `submit`; the jobs get copies of one instance.
    calls : iterable of mapping
        The parameters of each job, of the method and of the constructor as for `submit`; `grid` makes them.
    common : mapping, optional
        Parameters that all jobs share; stored once, except for those of the constructor.
    init : mapping, optional
        Parameters of the constructor that all jobs share; needed only for names that the method takes too.
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
    >>> sweep = ipybgjobs.submit_many("training.Trainer.fit", ipybgjobs.grid(lr=[0.1, 0.2], epochs=[3]))
    >>> sweep.results()
    [{'epochs': 3, 'lr': 0.1}, {'epochs': 3, 'lr': 0.2}]
    """
    unknown_options.check("submit_many", target, options)
    if notebook_call.is_notebook(target):
        calls, common = notebook_call.calls(calls, common), {"path": target}
        target = notebook_call.TARGET
    called = callables.of(target, client().settings)
    return client().submit_many(called, calls, common=common, init=init, name=name, **options)


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
        The class, or its dotted path; or, with `method` None, what `submit` takes.
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
        If `cls` is an instance, or what it names is not on the allowlist.
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
    unknown_options.check("run_background_job", cls, options)
    if method is None:
        return submit(cls, params, init=init, **options)
    if isinstance(cls, str):
        return submit(f"{cls}.{method}", params, init=init, **options)
    if not isinstance(cls, type):
        raise JobNotAllowed(f"{quoted(cls)} is not a class: pass the class itself, not an instance of it; or the method alone.")
    return submit(f"{callables.of_class(cls, client().settings())}.{method}", params, init=init, **options)


def run_here(target: "Target", params: Mapping[str, Any] | None = None, *, init: Mapping[str, Any] | None = None) -> Any:
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
    if notebook_call.is_notebook(target):
        target, params = notebook_call.TARGET, notebook_call.params(str(target), params)
    return client().prepare_here(callables.of(target, client().settings), params, init=init)()
