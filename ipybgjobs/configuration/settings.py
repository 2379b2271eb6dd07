"""The content of the configuration files, as frozen values: checked by the client at submit and the supervisor at launch.

Knows no traitlets and reads no file: a supervisor gets these values as JSON.
"""

import os
from typing import Any, Self

from msgspec import Struct, field, to_builtins

from ..model.redaction import SECRET_NAMES
from ..model.retry import RetrySettings

DEFAULT_QUEUE = "default"

#: The switch for notebook code, by its name in the configuration files.
NOTEBOOK_CODE = "allow_notebook_code"

#: The class that runs a notebook's cell; only that switch allows it, never an entry of `allowed_jobs`.
CELL = "ipybgjobs.Cell"

#: The class that runs a notebook; an entry of `allowed_jobs` can allow it only by this name.
NOTEBOOK_CLASS = "ipybgjobs.Notebook"

#: Other modules of this package whose classes an entry may allow.
OWN_MODULES = ("ipybgjobs.demo",)

#: The module of code defined in a notebook or script, which is sent by value; allowed by that switch too.
MAIN_MODULE = "__main__"


class AllowedEntry(Struct, frozen=True):
    """One entry of `allowed_jobs`.

    Parameters
    ----------
    key : str
        Dotted path of a class, or of a module whose functions are allowed.
    methods : tuple of str
        Method or function names.
    source : str
        The file that decided the entry.
    only_from : str or None
        Folder in which the module must be found.
    rules : RetrySettings
        The retry policy with the entry's own settings.
    timeout : float or None
        Seconds for each attempt; None: no limit.
    queue : str or None
        Queue of jobs that name none; None: the default queue.
    """

    key: str
    methods: tuple[str, ...]
    source: str
    only_from: str | None = None
    rules: RetrySettings = field(default_factory=RetrySettings)
    timeout: float | None = None
    queue: str | None = None

    def targets(self) -> list[str]:
        """Return every target that the entry allows."""
        return [f"{self.key}.{method}" for method in self.methods]


class QueueSettings(Struct, frozen=True):
    """One queue.

    Parameters
    ----------
    slots : int
        Jobs running at once.
    env : dict of str to str
        Environment variables of its jobs; ``{slot}`` is replaced by the number of the slot, from 0.
    """

    slots: int = 1
    env: dict[str, str] = field(default_factory=dict)

    def environment(self, slot: int) -> dict[str, str]:
        """Return the environment variables of a job in a slot."""
        return {name: text.replace("{slot}", str(slot)) for name, text in self.env.items()}


class LogSettings(Struct, frozen=True):
    """Where and how the two log files are written."""

    directory: str | None = None  #: None: logs/ in the state folder
    level: str = "INFO"
    format: str = "%(asctime)s %(levelname)s %(message)s"
    max_bytes: int = 5_000_000
    backup_count: int = 3

    def files(self, default_directory: str) -> tuple[str, str]:
        """Return the paths of the two log files: all events, and failures only."""
        directory = os.path.expanduser(self.directory or default_directory)
        return f"{directory}/background_jobs.log", f"{directory}/background_jobs_errors.log"


#: Used if the size of the log files is not configured: keep everything.
KEEP_ALL = LogSettings(max_bytes=0)


class ConfigurationFileStatus(Struct, frozen=True):
    """One configuration file that was searched for.

    Parameters
    ----------
    path : str
        The file.
    rank : str
        ``system``, ``environment``, ``user``, ``profile`` or ``variable``, lowest first.
    status : str
        ``read``, ``absent``, or why it was skipped.
    """

    path: str
    rank: str
    status: str


class Settings(Struct, frozen=True):
    """Everything the configuration files say."""

    allowed: dict[str, AllowedEntry] = field(default_factory=dict)
    allowed_notebooks: tuple[str, ...] = ()  #: patterns of absolute paths
    queues: dict[str, QueueSettings] = field(default_factory=lambda: {DEFAULT_QUEUE: QueueSettings(2)})
    rules: RetrySettings = field(default_factory=RetrySettings)
    logs: LogSettings = field(default_factory=LogSettings)
    state_dir: str | None = None
    secret_names: tuple[str, ...] = SECRET_NAMES
    idle_seconds: float = 60.0
    kill_grace_seconds: float = 10.0
    exit_grace_seconds: float = 30.0
    end_children: bool = False  #: whether to end the processes that an attempt left running when it finished by itself
    keep_days: float | None = None  #: age at which finished jobs are removed; None: never
    keep_jobs: int | None = None  #: number of most recently finished jobs to keep; None: all
    warn_param_bytes: int = 10_000_000
    max_output_bytes: int | None = (
        100_000_000  #: limit for an attempt's text log, its displays, and a notebook's outputs; None: no limit
    )
    on_finish: tuple[str, ...] = ()  #: a command, run when a job has finished
    notebook_code: str | None = None  #: the file that allows notebook code; None: none does
    locked_by: str | None = None  #: the administrator's file that is locked
    files: tuple[ConfigurationFileStatus, ...] = ()
    narrowed: tuple[str, ...] = ()  #: targets, or the switch, that the files allow but the running notebook does not
    narrowed_notebooks: tuple[str, ...] | None = (
        None  #: patterns of the running notebook, which a path must also match; None: all
    )

    def targets(self) -> list[str]:
        """Return every allowed target, sorted."""
        return sorted(target for entry in self.allowed.values() for target in entry.targets())

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        built: dict[str, Any] = to_builtins(self)
        return built

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Rebuild settings from `to_json`."""
        built = dict(values)
        built["allowed"] = {key: _entry(entry) for key, entry in values["allowed"].items()}
        built["queues"] = {name: QueueSettings(**queue) for name, queue in values["queues"].items()}
        built["on_finish"] = tuple(values["on_finish"])
        built["rules"] = RetrySettings.from_json(values["rules"])
        built["logs"] = LogSettings(**values["logs"])
        built["secret_names"] = tuple(values["secret_names"])
        built["narrowed"] = tuple(values["narrowed"])
        built["allowed_notebooks"] = tuple(values["allowed_notebooks"])
        built["files"] = tuple(ConfigurationFileStatus(**file) for file in values["files"])
        return cls(**built)


def _entry(values: dict[str, Any]) -> AllowedEntry:
    rules = RetrySettings.from_json(values["rules"])
    return AllowedEntry(**{**values, "methods": tuple(values["methods"]), "rules": rules})
