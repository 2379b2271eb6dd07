"""The options of a submit: their names, types, meanings and columns; a new option begins here.

Checks, command lines and documentation follow this table. It checks nothing itself: `options` does.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from enum import Enum, auto
from typing import Any, Literal, Protocol, TypedDict, get_args

from msgspec import Struct

#: What to do if another job holds the unique key.
OnDuplicate = Literal["reject", "existing", "replace"]

ON_DUPLICATE: tuple[str, ...] = get_args(OnDuplicate)


class HasUid(Protocol):
    """A job or a group, as a dependency needs it."""

    @property
    def uid(self) -> str:
        """The identifier on any machine."""


#: One job, or several, to depend on: itself, its id, its name or uid, a group, or a list of these.
Dependencies = HasUid | int | str | Iterable[HasUid | int | str]


class CommonOptions(TypedDict, total=False):
    """The options that have the same types for one job and for a group."""

    queue: str | None
    priority: int
    delay: float | str | None
    at: str | dt.datetime | None
    after: Dependencies | None
    after_any: Dependencies | None
    timeout: float | str | None
    retry: int | Mapping[str, Any] | None
    retry_until: float | str | dt.datetime | None


class SubmitManyOptions(CommonOptions, total=False):
    """The options of `submit_many`, which apply to each of its jobs; all can be left out.

    Examples
    --------
    >>> options: ipybgjobs.SubmitManyOptions = {"timeout": "2h", "retry": 3}
    >>> ipybgjobs.submit_many("training.square", [{"x": 1}, {"x": 2}], **options).results()
    [1, 4]
    """

    unique: bool | None
    on_duplicate: Literal["reject", "replace"]


class SubmitOptions(CommonOptions, total=False):
    """The keyword options of `submit`, for a type checker; all can be left out.

    Examples
    --------
    >>> options: ipybgjobs.SubmitOptions = {"name": "nightly", "timeout": "2h", "retry": 3}
    >>> ipybgjobs.submit("training.square", {"x": 2}, **options).name
    'nightly'
    """

    name: str | None
    unique: str | bool | None
    on_duplicate: OnDuplicate
    reuse: bool | float | str | None


class Form(Enum):
    """How an option is typed on a command line."""

    TEXT = auto()  #: ``--delay 10m``
    INTEGER = auto()  #: ``--priority 5``
    CHOICE = auto()  #: ``--on-duplicate replace``
    JOBS = auto()  #: ``--after 3,4``, which can be repeated
    OPTIONAL = auto()  #: ``--unique`` or ``--unique=key``


class Option(Struct, frozen=True):
    """One option of a submit.

    Parameters
    ----------
    name : str
        The keyword.
    takes : str
        The types of its values, as documentation names them.
    summary : str
        Its help on a command line.
    columns : tuple of str
        The columns of the job's row that it changes; none if it only decides whether there is a new row.
    default : object
        The value if it is left out.
    form : Form
        How it is typed.
    placeholder : str or None
        The name of its value in the help of a command line; None: that of the option.
    """

    name: str
    takes: str
    summary: str
    columns: tuple[str, ...]
    default: object = None
    form: Form = Form.TEXT
    placeholder: str | None = None

    @property
    def flag(self) -> str:
        """The option as typed on a command line: ``--after-any``."""
        return "--" + self.name.replace("_", "-")


_JOBS_AS_SEVERAL = "job, id, name, group, or several of them"

#: Every option of a submit, in the order in which documentation and help list them.
OPTIONS = (
    Option("name", "str", "a name to find the job by", ("name",)),
    Option("queue", "str", "the queue to wait in (default: the allowlist entry's)", ("queue",)),
    Option("priority", "int", "higher runs first (default: 0)", ("priority",), default=0, form=Form.INTEGER),
    Option("delay", "float or str", 'wait at least this long before the start, such as "10m"', ("not_before", "ready")),
    Option(
        "at",
        "str or datetime",
        'start no earlier than this time, such as "2026-11-24 22:30" or "22:30"',
        ("not_before", "timed", "ready"),
    ),
    Option(
        "after",
        _JOBS_AS_SEVERAL,
        "start once this job has succeeded; for several jobs: 3,4",
        ("blockers", "ready"),
        default=(),
        form=Form.JOBS,
        placeholder="JOB",
    ),
    Option(
        "after_any",
        "as `after`",
        "start once this job has finished, whatever its outcome",
        ("blockers", "ready"),
        default=(),
        form=Form.JOBS,
        placeholder="JOB",
    ),
    Option("timeout", "float or str", 'stop an attempt that runs longer than this, such as "2h"', ("timeout",)),
    Option(
        "retry",
        "int or mapping",
        "maximum number of attempts, including the first",
        ("rules", "allowed_attempts"),
        form=Form.INTEGER,
        placeholder="ATTEMPTS",
    ),
    Option(
        "retry_until",
        "float or str or datetime",
        "a deadline for the whole job: a duration or a time",
        ("deadline", "deadline_timed"),
        placeholder="DEADLINE",
    ),
    Option(
        "unique",
        "str or True",
        "allow only one live job with this key (default: the call itself)",
        ("unique_key",),
        form=Form.OPTIONAL,
        placeholder="[=KEY]",
    ),
    Option(
        "on_duplicate",
        "str",
        "if another job holds the key: reject (default), existing or replace",
        (),
        default="reject",
        form=Form.CHOICE,
        placeholder="WHAT",
    ),
    Option(
        "reuse",
        "bool or float or str",
        "reuse a job that succeeded with the same call and source",
        (),
        form=Form.OPTIONAL,
        placeholder="[=AGE]",
    ),
)

#: Their names.
NAMES = tuple(option.name for option in OPTIONS)

#: The values of those that are left out.
DEFAULTS: Mapping[str, Any] = {option.name: option.default for option in OPTIONS}
