"""The traits of a configuration file, each with its unit, its default and the meaning of None.

They hold and check values; `loading` combines the values of several files.
"""

import math
import re
from typing import Any

from traitlets import Bool, Dict, Float, Int, List, TraitError, TraitType, Unicode, Union, validate
from traitlets.config import Configurable

from ..model import durations, globs
from ..model.redaction import SECRET_NAMES
from ..model.retry import FAULTS_OF_THE_CODE
from .settings import DEFAULT_QUEUE, LogSettings

#: Fields that can be filled into a command of `on_finish`.
FINISH_FIELDS = ("id", "uid", "name", "target", "state", "error", "queue", "elapsed")

#: The defaults.
_LOGS = LogSettings()


class Duration(TraitType[float, "float | str"]):
    """Seconds, as a number or as text such as ``"5m"``."""

    info_text = 'a duration: seconds, or text such as "30s", "5m", "2h"'

    def validate(self, obj: Any, value: Any) -> float:  # noqa: ARG002 - traitlets' signature
        """Turn the value into seconds."""
        try:
            return durations.seconds(value, str(self.name))
        except ValueError as error:
            raise TraitError(str(error)) from error


class BackgroundJobs(Configurable):
    """Which jobs may run, how many at once, and where their state is kept."""

    allowed_jobs = Dict(
        help="""What may run: {"module.Class": ["method", ...]} or {"module.Class": {"allowed_methods": [...], ...}}.
        If the key is a module, its functions are allowed. In the second form, an entry can also set max_attempts, delay_seconds,
        backoff_factor, max_delay_seconds, jitter, retry_on, never_retry (as in RetryPolicy), timeout (a duration for each
        attempt; None: no limit), queue (its default queue) and from (a folder: a module found anywhere else is refused).
        Default: nothing may run. Entries of several files are merged; for the same key, the file of higher rank wins."""
    ).tag(config=True)

    allow_notebook_code = Bool(
        False,
        help="""Whether code written in a notebook may run: cells (%%bgjob), and classes and functions defined in the notebook,
        which are sent by value. Anyone who can submit can then run anything, as in a cell. A running notebook can only switch
        this off. Default: False.""",
    ).tag(config=True)

    allowed_notebooks = List(
        Unicode(),
        help="""Notebooks that ipybgjobs.Notebook.run may run, if allowed_jobs allows it: patterns of absolute paths, with ~ for
        the home folder, * for anything between two slashes and ** for any number of folders, such as "~/work/**/*.ipynb". Links
        in a notebook's path are resolved first. Default: [], none. The patterns of several files are combined.""",
    ).tag(config=True)

    queues = Dict(
        key_trait=Unicode(),
        default_value={DEFAULT_QUEUE: 2},
        help="""Number of jobs that run at once, by queue. Default: two in the queue "default", which always exists. A queue can
        also set environment variables by slot number, counted from 0, so that no two jobs share a GPU:
        {"gpu": {"slots": 2, "env": {"CUDA_VISIBLE_DEVICES": "{slot}"}}}. Changes take effect at once.""",
    ).tag(config=True)

    state_dir = Unicode(
        None,
        allow_none=True,
        help="""Absolute path of the folder for the store, the jobs' outputs and the logs.
        None (default): ipybgjobs/ in Jupyter's data folder. The environment variable IPYBGJOBS_STATE_DIR overrides it.""",
    ).tag(config=True)

    locked = Bool(
        False,
        help="""Set in an administrator's file on the system path, which users can't write: no user's file, profile or
        environment variable can then allow more than it does. Ignored anywhere else. Default: False.""",
    ).tag(config=True)

    secret_names = List(
        Unicode(),
        default_value=list(SECRET_NAMES),
        help="""Patterns of parameter names whose values are never shown, at any depth; case and underscores are ignored. The
        patterns of all files are combined, in addition to the built-in ones for passwords, tokens, keys and the like.""",
    ).tag(config=True)

    idle_seconds = Duration(
        60.0, help="""Seconds after which an idle supervisor exits; the next submit starts a new one. Default: 60."""
    ).tag(config=True)

    kill_grace_seconds = Duration(
        10.0,
        help="""Seconds that a cancelled or timed-out job has to clean up after it is interrupted, and again after it is asked
        to terminate; then its processes are killed. Default: 10.""",
    ).tag(config=True)

    exit_grace_seconds = Duration(
        30.0,
        help="""Seconds that the threads and exit handlers of a finished job have to end; then its process exits anyway.
        Default: 30.""",
    ).tag(config=True)

    end_children = Bool(
        False,
        help="""Whether processes that a job leaves running end with it when it returns or raises: they are asked to terminate,
        and killed after kill_grace_seconds; the job holds its slot until then. After a cancel, a timeout or the death of the
        job's process, they are always ended. Default: False; `jupyter bgjobs show` lists them while they run.""",
    ).tag(config=True)

    keep_days = Float(
        None,
        allow_none=True,
        min=0.0,
        help="""Days after which a finished job is removed with its outputs. None (default): never. A job marked with
        `job.keep()` is never removed.""",
    ).tag(config=True)

    keep_jobs = Int(
        None,
        allow_none=True,
        min=0,
        help="""Number of newest finished jobs to keep; older ones are removed with their outputs. None (default): all.""",
    ).tag(config=True)

    warn_param_bytes = Int(
        10_000_000,
        min=0,
        help="""Size in bytes of pickled parameters above which submit warns that it copies them. Default: 10,000,000.""",
    ).tag(config=True)

    max_output_bytes = Int(
        100_000_000,
        allow_none=True,
        min=65_536,
        help="""Largest size in bytes on disk of an attempt's text log; the same limit applies to its displays, and to the outputs
        of its notebook. Anything longer keeps its beginning and end, with a note between them of what was dropped. Results
        have no limit. None: no limit. Default: 100,000,000.""",
    ).tag(config=True)

    on_finish = List(
        Unicode(),
        help="""Command to run when a job has finished: a list of the program and its arguments, run without a shell, in the job's
        environment; {id}, {uid}, {name}, {target}, {state}, {error}, {queue} and {elapsed} are filled in.
        Example: ["notify-send", "job {id} {state}", "{target} {error}"]. If an administrator's file is locked, only
        administrators' files can set this. Default: [], none.""",
    ).tag(config=True)

    @validate("queues")
    def _sound_queues(self, proposal: Any) -> dict[str, Any]:
        for name, value in proposal["value"].items():
            _check_queue(name, value if isinstance(value, dict) else {"slots": value})
        return {DEFAULT_QUEUE: 2, **proposal["value"]}

    @validate("allowed_notebooks")
    def _absolute_patterns(self, proposal: Any) -> list[str]:
        try:
            return [globs.expanded(pattern) for pattern in proposal["value"]]
        except ValueError as error:
            raise TraitError(f"allowed_notebooks: {error}.") from error

    @validate("on_finish")
    def _known_fields(self, proposal: Any) -> list[str]:
        for word in proposal["value"]:
            for found in re.findall(r"\{(\w+)\}", word):
                if found not in FINISH_FIELDS:
                    raise TraitError(f"on_finish uses the unknown field {{{found}}}; the fields are {', '.join(FINISH_FIELDS)}.")
        return list(proposal["value"])

    @validate("keep_days")
    def _finite_days(self, proposal: Any) -> float | None:
        value: float | None = proposal["value"]
        if value is not None and not math.isfinite(value):
            raise TraitError(f"keep_days must be a finite number of days, or None; got {value}.")
        return value


def _check_queue(name: str, value: dict[str, Any]) -> None:
    unknown = [key for key in value if key not in ("slots", "env")]
    if unknown:
        raise TraitError(f"the queue {name!r} sets the unknown option {unknown[0]!r}; the options are slots and env.")
    slots, env = value.get("slots", 1), value.get("env", {})
    if isinstance(slots, bool) or not isinstance(slots, int) or slots < 1:
        raise TraitError(f"the slots of the queue {name!r} must be an integer of at least 1; got {slots!r}.")
    if not isinstance(env, dict):
        raise TraitError(f"the env of the queue {name!r} must be a dict of variable names and values; got {env!r}.")
    for variable, text in env.items():
        sound = isinstance(variable, str) and isinstance(text, str) and variable and not set("=\0") & set(variable)
        if not sound or "\0" in text:
            raise TraitError(f"the queue {name!r} sets the variable {variable!r} to {text!r}; both must be text.")


class RetryPolicy(Configurable):
    """When a failed job is retried; an entry of `allowed_jobs` can set the same for its jobs.

    As long as neither a file, nor an entry, nor an option of a submit sets max_attempts, delay_seconds, retry_on or never_retry,
    only what may pass by itself is retried: ipybgjobs.Retry, ConnectionError, TimeoutError and other OSErrors, except
    FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError and io.UnsupportedOperation; and a
    process that was lost, unless memory likely ran out. Never the error of a cell or a notebook, SystemExit, or a timeout of an
    attempt.
    """

    max_attempts = Int(
        3,
        min=1,
        help="""Number of attempts, including the first. Default: 3, for what may pass by itself; once this is set, for every
        exception that never_retry does not list, and for timeouts. 1: never retry.""",
    ).tag(config=True)

    delay_seconds = Union(
        [Duration(), List(Duration(), minlen=1)],
        default_value=60.0,
        help="""Delay before the second attempt, in seconds or as text such as "5m"; it grows by backoff_factor. A list sets each
        delay in turn, without growth; the last one repeats. Setting it asks for retries, as
        max_attempts does. Default: 60.""",
    ).tag(config=True)

    backoff_factor = Float(
        2.0, min=1.0, help="Factor by which the delay grows from one attempt to the next. Default: 2.0 (60, 120, 240 ...)."
    ).tag(config=True)

    max_delay_seconds = Duration(3600.0, help="Longest delay, in seconds. Default: 3600.").tag(config=True)

    jitter = Float(
        0.0, min=0.0, max=1.0, help="Largest random addition, as a fraction of the delay, 0 to 1. Default: 0.0, none."
    ).tag(config=True)

    retry_on: List[str] = List(
        help="""Exceptions that are retried, as classes or names; subclasses are included. Setting it asks for retries, as
        max_attempts does. Default: [], all that never_retry does not list."""
    ).tag(config=True)

    never_retry = List(
        default_value=list(FAULTS_OF_THE_CODE),
        help="""Exceptions that are not retried, as classes or names; subclasses are included. Setting it asks for retries, as
        max_attempts does. Default: errors in the code, which would fail again in the same way.""",
    ).tag(config=True)

    @validate("backoff_factor", "jitter")
    def _finite(self, proposal: Any) -> float:
        if not math.isfinite(proposal["value"]):
            raise TraitError(f"{proposal['trait'].name} must be a finite number; got {proposal['value']}.")
        return float(proposal["value"])

    @validate("retry_on", "never_retry")
    def _names(self, proposal: Any) -> list[str]:
        return [exception_name(value) for value in proposal["value"]]


class JobLogs(Configurable):
    """The files background_jobs.log (all events) and background_jobs_errors.log (failures, with traceback)."""

    directory = Unicode(
        None, allow_none=True, help="Folder of the two log files. None (default): logs/ in the state folder."
    ).tag(config=True)

    level = Unicode(
        _LOGS.level, help="Lowest level that background_jobs.log records: DEBUG, INFO, WARNING or ERROR. Default: INFO."
    ).tag(config=True)

    format = Unicode(_LOGS.format, help="Format of a record, as in Python's logging. Default: time, level, message.").tag(
        config=True
    )

    max_bytes = Int(
        _LOGS.max_bytes, min=0, help="Size in bytes at which a log file is rotated; 0: never. Default: 5,000,000."
    ).tag(config=True)

    backup_count = Int(_LOGS.backup_count, min=0, help="Number of rotated files to keep. Default: 3.").tag(config=True)

    @validate("level")
    def _known_level(self, proposal: Any) -> str:
        level = str(proposal["value"]).upper()
        if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise TraitError(f"level must be DEBUG, INFO, WARNING or ERROR; got {proposal['value']!r}.")
        return level

    @validate("format")
    def _usable_format(self, proposal: Any) -> str:
        import logging

        try:
            logging.Formatter(proposal["value"]).format(logging.makeLogRecord({}))
        except (ValueError, KeyError, TypeError) as error:
            raise TraitError(f"format is {proposal['value']!r}, which is not a format of Python's logging: {error}.") from error
        return str(proposal["value"])


#: The classes whose sections a file can contain.
CLASSES: tuple[type[Configurable], ...] = (BackgroundJobs, RetryPolicy, JobLogs)


def exception_name(value: Any) -> str:
    """Return the name of an exception that is given as a class or as text.

    Raises
    ------
    TraitError
        If it is neither.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, type) and issubclass(value, BaseException):
        return value.__qualname__ if value.__module__ == "builtins" else f"{value.__module__}.{value.__qualname__}"
    raise TraitError(f"{value!r} is not an exception; pass the class or its name.")
