"""The traits of a configuration file, each with its unit, its default and the meaning of None.

They hold and check values; what several files say together is decided in `loading`.
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

#: What a command of `on_finish` may have filled in.
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
        A module as key allows functions of it. In the second form an entry may also set max_attempts, delay_seconds,
        backoff_factor, max_delay_seconds, jitter, retry_on, never_retry (as RetryPolicy does), timeout (a duration for each
        attempt; None: no limit), queue (its default queue) and from (a folder: a module found anywhere else is refused).
        Default: nothing may run. Entries of several files are united; the file of higher rank decides a key."""
    ).tag(config=True)

    allow_notebook_code = Bool(
        False,
        help="""Whether code that stands in a notebook may run: cells (%%bgjob), and classes and functions that are defined there,
        which are sent by value. Whoever can submit can then run anything, as in a cell. A running notebook can only switch it
        off. Default: False.""",
    ).tag(config=True)

    allowed_notebooks = List(
        Unicode(),
        help="""Which notebooks ipybgjobs.Notebook.run may run, where allowed_jobs allows it: patterns of absolute paths, with ~,
        * for what is between two slashes and ** for any number of folders, such as "~/work/**/*.ipynb". Links in a notebook's
        path are resolved first. Default: [], none. The patterns of several files are united.""",
    ).tag(config=True)

    queues = Dict(
        key_trait=Unicode(),
        default_value={DEFAULT_QUEUE: 2},
        help="""Jobs running at once, by queue. Default: two in the queue "default", which is always there. A queue may also set
        environment variables by the number of the slot, from 0, so that no two jobs share a card:
        {"gpu": {"slots": 2, "env": {"CUDA_VISIBLE_DEVICES": "{slot}"}}}. A change counts at once.""",
    ).tag(config=True)

    state_dir = Unicode(
        None,
        allow_none=True,
        help="""Folder of the store, the jobs' outputs and the logs, as an absolute path.
        None (default): ipybgjobs/ in Jupyter's data folder. The environment variable IPYBGJOBS_STATE_DIR overrides it.""",
    ).tag(config=True)

    locked = Bool(
        False,
        help="""In an administrator's file on the system path, which users can't write: no user's file, profile or
        environment variable widens what it allows. Without effect anywhere else. Default: False.""",
    ).tag(config=True)

    secret_names = List(
        Unicode(),
        default_value=list(SECRET_NAMES),
        help="""Parameters whose values are shown nowhere, as patterns of their names, at any depth; case and underscores don't
        count. Those of all files count together, and on top of ours: passwords, tokens, keys and their like.""",
    ).tag(config=True)

    idle_seconds = Duration(
        60.0, help="""Seconds after which a supervisor without work ends; the next submit starts one. Default: 60."""
    ).tag(config=True)

    kill_grace_seconds = Duration(
        10.0,
        help="""Seconds that a cancelled or timed-out job is given to clean up after the interrupt, and once more after it is
        asked to terminate; then its processes are killed. Default: 10.""",
    ).tag(config=True)

    exit_grace_seconds = Duration(
        30.0,
        help="""Seconds that threads and exit handlers of a job that has ended are given; then its process ends anyway.
        Default: 30.""",
    ).tag(config=True)

    end_children = Bool(
        False,
        help="""Whether processes that a job has left running end with it when it returns or raises: they are asked to terminate,
        and killed after kill_grace_seconds; the job holds its slot until then. After a cancel, a time-out or the death of the
        job's process they end in any case. Default: False; `jupyter bgjobs show` names them while they run.""",
    ).tag(config=True)

    keep_days = Float(
        None,
        allow_none=True,
        min=0.0,
        help="""Days after which an ended job is removed with its outputs. None (default): never. A job that was told
        `job.keep()` stays.""",
    ).tag(config=True)

    keep_jobs = Int(
        None,
        allow_none=True,
        min=0,
        help="""Ended jobs that are kept, the newest; older ones are removed with their outputs. None (default): all.""",
    ).tag(config=True)

    warn_param_bytes = Int(
        10_000_000,
        min=0,
        help="""Size in bytes of pickled parameters from which on submit says that it copies them. Default: 10,000,000.""",
    ).tag(config=True)

    max_output_bytes = Int(
        100_000_000,
        allow_none=True,
        min=65_536,
        help="""Size in bytes that the text log of an attempt may take on disk, that its displays may take, and that the outputs
        of its notebook may take. Of what is longer, beginning and end are kept, and a note between them says what was dropped.
        Results have no limit. None: no limit. Default: 100,000,000.""",
    ).tag(config=True)

    on_finish = List(
        Unicode(),
        help="""A command that is run when a job has ended, as a list of program and arguments, without a shell, in the job's
        environment; {id}, {uid}, {name}, {target}, {state}, {error}, {queue} and {elapsed} are filled in.
        Example: ["notify-send", "job {id} {state}", "{target} {error}"]. Where an administrator's file is locked, only the
        administrators' files set it. Default: [], none.""",
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
                    raise TraitError(f"on_finish has the field {{{found}}}; the fields are {', '.join(FINISH_FIELDS)}.")
        return list(proposal["value"])

    @validate("keep_days")
    def _finite_days(self, proposal: Any) -> float | None:
        value: float | None = proposal["value"]
        if value is not None and not math.isfinite(value):
            raise TraitError(f"keep_days is {value}; it is a finite number of days, or None.")
        return value


def _check_queue(name: str, value: dict[str, Any]) -> None:
    unknown = [key for key in value if key not in ("slots", "env")]
    if unknown:
        raise TraitError(f"the queue {name!r} sets {unknown[0]!r}; it may set slots and env.")
    slots, env = value.get("slots", 1), value.get("env", {})
    if isinstance(slots, bool) or not isinstance(slots, int) or slots < 1:
        raise TraitError(f"the queue {name!r} has slots {slots!r}; it is a whole number, at least 1.")
    if not isinstance(env, dict):
        raise TraitError(f"the queue {name!r} has env {env!r}; it is a dict of variables and texts.")
    for variable, text in env.items():
        sound = isinstance(variable, str) and isinstance(text, str) and variable and not set("=\0") & set(variable)
        if not sound or "\0" in text:
            raise TraitError(f"the queue {name!r} sets the variable {variable!r} to {text!r}; both are text.")


class RetryPolicy(Configurable):
    """When a failed job is tried again; an entry of `allowed_jobs` may set the same for its jobs."""

    max_attempts = Int(3, min=1, help="Runs in all, the first one counted. Default: 3; 1: never again.").tag(config=True)

    delay_seconds = Union(
        [Duration(), List(Duration(), minlen=1)],
        default_value=60.0,
        help="""Delay before the second run, in seconds or as text such as "5m"; it grows by backoff_factor. A list gives each
        delay in turn, the last one repeating, without growth. Default: 60.""",
    ).tag(config=True)

    backoff_factor = Float(
        2.0, min=1.0, help="Each further delay is this many times the one before. Default: 2.0 (60, 120, 240 ...)."
    ).tag(config=True)

    max_delay_seconds = Duration(3600.0, help="No delay is longer than this, in seconds. Default: 3600.").tag(config=True)

    jitter = Float(0.0, min=0.0, max=1.0, help="Share of the delay added at random, 0 to 1. Default: 0.0, none.").tag(config=True)

    retry_on: List[str] = List(
        help="""Exceptions that are retried, as classes or names; subclasses count. Default: [], every one that never_retry
        does not name."""
    ).tag(config=True)

    never_retry = List(
        default_value=list(FAULTS_OF_THE_CODE),
        help="""Exceptions that are not retried, as classes or names; subclasses count. Default: faults of the code, which
        would fail again the same way.""",
    ).tag(config=True)

    @validate("backoff_factor", "jitter")
    def _finite(self, proposal: Any) -> float:
        if not math.isfinite(proposal["value"]):
            raise TraitError(f"{proposal['trait'].name} is {proposal['value']}; it is a finite number.")
        return float(proposal["value"])

    @validate("retry_on", "never_retry")
    def _names(self, proposal: Any) -> list[str]:
        return [exception_name(value) for value in proposal["value"]]


class JobLogs(Configurable):
    """The files background_jobs.log (all that happened) and background_jobs_errors.log (failures, with traceback)."""

    directory = Unicode(None, allow_none=True, help="Folder of the two files. None (default): logs/ in the state folder.").tag(
        config=True
    )

    level = Unicode(_LOGS.level, help="What background_jobs.log records: DEBUG, INFO, WARNING or ERROR. Default: INFO.").tag(
        config=True
    )

    format = Unicode(_LOGS.format, help="Format of a record, as in Python's logging. Default: time, level, message.").tag(
        config=True
    )

    max_bytes = Int(_LOGS.max_bytes, min=0, help="Size in bytes at which a file is rotated; 0: never. Default: 5,000,000.").tag(
        config=True
    )

    backup_count = Int(_LOGS.backup_count, min=0, help="Rotated files kept. Default: 3.").tag(config=True)

    @validate("level")
    def _known_level(self, proposal: Any) -> str:
        level = str(proposal["value"]).upper()
        if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise TraitError(f"level is {proposal['value']!r}; it must be DEBUG, INFO, WARNING or ERROR.")
        return level

    @validate("format")
    def _usable_format(self, proposal: Any) -> str:
        import logging

        try:
            logging.Formatter(proposal["value"]).format(logging.makeLogRecord({}))
        except (ValueError, KeyError, TypeError) as error:
            raise TraitError(f"format is {proposal['value']!r}; it is no format of Python's logging: {error}.") from error
        return str(proposal["value"])


#: Every class whose section a file may have.
CLASSES: tuple[type[Configurable], ...] = (BackgroundJobs, RetryPolicy, JobLogs)


def exception_name(value: Any) -> str:
    """Return the name of an exception given as class or as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, type) and issubclass(value, BaseException):
        return value.__qualname__ if value.__module__ == "builtins" else f"{value.__module__}.{value.__qualname__}"
    raise TraitError(f"{value!r} is no exception; give the class or its name.")
