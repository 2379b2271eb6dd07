"""Load the configuration files and combine them into `Settings`.

A broken file, an unknown setting or an invalid value is an error that names the file and line, and no job starts.
Run as a program, it evaluates the given sources in a fresh process, for the check at launch.
"""

import copy
import json
import os
import re
import sys
from collections.abc import Callable, Collection, Sequence
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace
from traitlets import TraitError
from traitlets.config import Config, Configurable
from traitlets.config.loader import JSONFileConfigLoader, LazyConfigValue, PyFileConfigLoader

from ..errors import ConfigurationError
from ..model import durations
from ..model.redaction import SECRET_NAMES, cut, one_line, quoted
from ..model.retry import REQUESTING, RetrySettings
from ..model.suggestion import did_you_mean
from ..state import ownership
from ..system.child import reply
from . import sources, traits
from .settings import (
    CELL,
    MAIN_MODULE,
    NOTEBOOK_CLASS,
    NOTEBOOK_CODE,
    OWN_MODULES,
    AllowedEntry,
    ConfigurationFileStatus,
    LogSettings,
    QueueSettings,
    Settings,
)
from .sources import ConfigurationFile

#: Overrides the trait `state_dir`.
STATE_VARIABLE = "IPYBGJOBS_STATE_DIR"

_RETRY_TRAITS = tuple(traits.RetryPolicy.class_own_traits(config=True))
_ENTRY_SETTINGS = ("allowed_methods", "timeout", "queue", "from", *_RETRY_TRAITS)


def load(files: Sequence[ConfigurationFile], user_can_write: Callable[[str], bool] = sources.user_can_write) -> Settings:
    """Evaluate configuration files.

    Parameters
    ----------
    files : sequence of ConfigurationFile
        Lowest rank first.
    user_can_write : callable
        Returns whether the user could change a file; a file counts as an administrator's if the user can't change it.

    Raises
    ------
    ConfigurationError
        If a file is broken; the message names the file, the line and the fix.
    """
    read: list[tuple[ConfigurationFile, Config]] = []
    report: list[ConfigurationFileStatus] = []
    for source in files:
        if not os.path.lexists(source.path):
            if source.rank == "variable":
                raise ConfigurationError(
                    f"{sources.VARIABLE} names {source.path}, which does not exist; create the file or unset the variable."
                )
            report.append(ConfigurationFileStatus(source.path, source.rank, "absent"))
            continue
        config = read_file(source.path)
        read.append((source, config))
        report.append(
            ConfigurationFileStatus(source.path, source.rank, "read" if config else "read, contains no ipybgjobs settings")
        )
    return _merged_allowlist(read, report, user_can_write)


def _merged_allowlist(
    read: list[tuple[ConfigurationFile, Config]], report: list[ConfigurationFileStatus], user_can_write: Callable[[str], bool]
) -> Settings:
    administered = {source.path for source, _ in read if source.rank == "system" and not user_can_write(source.path)}
    locked_by: str | None = None
    merged, rights, secrets = Config(), _Rights(), list(SECRET_NAMES)
    for source, config in read:
        section = config.get("BackgroundJobs", Config())
        rights.take(source.path, section)
        secrets += _plain(section.pop("secret_names", []), [])
        if section.pop("locked", False) and source.path in administered:
            locked_by = source.path
        merged.merge(_extended(config, merged))
    if locked_by:
        rights = rights.given_by(administered)
        report = [_not_counted(file) if file.path not in administered else file for file in report]
    base = replace(rights.settings(), files=tuple(report), locked_by=locked_by, secret_names=tuple(dict.fromkeys(secrets)))
    return _settings(merged, rights.allowed(), base)


class _Rights(Struct):
    """What each file gives a user the right to run, with the path of the file; the files of higher rank come last."""

    entries: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    switches: list[tuple[str, bool]] = field(default_factory=list)
    patterns: list[tuple[str, list[str]]] = field(default_factory=list)
    commands: list[tuple[str, list[str]]] = field(default_factory=list)

    def take(self, path: str, section: Config) -> None:
        """Take out of a file's section what is a right."""
        self.entries.append((path, _plain(section.pop("allowed_jobs", {}), {})))
        self.patterns.append((path, _patterns(_plain(section.pop("allowed_notebooks", []), []))))
        if NOTEBOOK_CODE in section:
            self.switches.append((path, section.pop(NOTEBOOK_CODE)))
        if "on_finish" in section:
            self.commands.append((path, _plain(section.pop("on_finish"), self.commands[-1][1] if self.commands else [])))

    def given_by(self, paths: Collection[str]) -> "_Rights":
        """Return those of some files."""
        return _Rights(
            [each for each in self.entries if each[0] in paths],
            [each for each in self.switches if each[0] in paths],
            [each for each in self.patterns if each[0] in paths],
            [each for each in self.commands if each[0] in paths],
        )

    def allowed(self) -> dict[str, tuple[str, Any]]:
        """Return the entries of the allowlist, each with its file."""
        return {key: (path, value) for path, found in self.entries for key, value in found.items()}

    def settings(self) -> Settings:
        """Return settings that contain the other rights."""
        switched_by, on = self.switches[-1] if self.switches else ("", False)
        return replace(
            Settings(),
            notebook_code=switched_by if on else None,
            allowed_notebooks=tuple(dict.fromkeys(each for _, found in self.patterns for each in found)),
            on_finish=tuple(self.commands[-1][1]) if self.commands else (),
        )


def _patterns(value: Any) -> list[str]:
    """Return patterns of paths in the form that the trait takes."""
    return list(traits.BackgroundJobs(config=Config(BackgroundJobs=Config(allowed_notebooks=value))).allowed_notebooks)


def _plain(value: Any, base: Any) -> Any:
    """Return the value that a file sets; if it only extends (``.append``, ``.update``), apply the extension to the base."""
    return copy.deepcopy(value).get_value(base) if isinstance(value, LazyConfigValue) else value


def _extended(config: Config, lower: Config) -> Config:
    """Return a file's configuration, with its extensions applied to the values of the files of lower rank."""
    made = Config()
    for cls in traits.CLASSES:
        for name, value in config.get(cls.__name__, {}).items():
            base = lower.get(cls.__name__, {}).get(name, _default(cls, name))
            made[cls.__name__][name] = _plain(value, base)
    return made


def _default(cls: type[Configurable], name: str) -> Any:
    return getattr(cls(), name)


def _not_counted(file: ConfigurationFileStatus) -> ConfigurationFileStatus:
    note = "read, but what it allows is ignored: locked by the administrator"
    return replace(file, status=note) if file.status == "read" else file


def _settings(merged: Config, allowed: dict[str, tuple[str, Any]], base: Settings) -> Settings:
    general = traits.BackgroundJobs(config=merged)
    retry = traits.RetryPolicy(config=merged)
    logs = traits.JobLogs(config=merged)
    rules = replace(retry_settings(retry), requested=_requested(merged.get("RetryPolicy", {})))
    return replace(
        base,
        allowed={key: allowed_entry(key, value, source, rules) for key, (source, value) in allowed.items()},
        queues={name: _queue(value) for name, value in general.queues.items()},
        rules=rules,
        logs=LogSettings(**{name: getattr(logs, name) for name in LogSettings.__struct_fields__}),
        state_dir=general.state_dir,
        idle_seconds=general.idle_seconds,
        kill_grace_seconds=general.kill_grace_seconds,
        exit_grace_seconds=general.exit_grace_seconds,
        end_children=general.end_children,
        keep_days=general.keep_days,
        keep_jobs=general.keep_jobs,
        warn_param_bytes=general.warn_param_bytes,
        max_output_bytes=general.max_output_bytes,
    )


def _queue(value: int | dict[str, Any]) -> QueueSettings:
    return QueueSettings(value) if isinstance(value, int) else QueueSettings(value.get("slots", 1), dict(value.get("env", {})))


def retry_settings(policy: traits.RetryPolicy) -> RetrySettings:
    """Return the traits as plain rules."""
    values = {name: getattr(policy, name) for name in _RETRY_TRAITS}
    delay = values["delay_seconds"]
    values["delay_seconds"] = tuple(delay) if isinstance(delay, (list, tuple)) else (delay,)
    plain: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return RetrySettings(**plain)


def overridden(rules: RetrySettings, changes: dict[str, Any], what: str) -> RetrySettings:
    """Return rules with some settings of `RetryPolicy` changed.

    Raises
    ------
    ConfigurationError
        If a value does not fit.
    """
    try:
        policy = traits.RetryPolicy(**changes)
    except TraitError as error:
        raise ConfigurationError(one_line(f"{what}: {error}")) from error
    given = retry_settings(policy)
    requested = rules.requested or _requested(changes)
    return replace(rules, requested=requested, **{name: getattr(given, name) for name in changes})


def _requested(values: Collection[str]) -> bool:
    """Return whether one of these settings asks for retries."""
    return any(name in values for name in REQUESTING)


def allowed_entry(key: str, value: Any, source: str, rules: RetrySettings) -> AllowedEntry:
    """Check one entry of `allowed_jobs`.

    Raises
    ------
    ConfigurationError
        If its form is not valid.
    """
    where = f"{source}: allowed_jobs[{quoted(key)}]"
    _check_key(key, where)
    options = dict(value) if isinstance(value, dict) else {"allowed_methods": value}
    unknown = [name for name in options if name not in _ENTRY_SETTINGS]
    if unknown:
        near = did_you_mean(unknown[0], _ENTRY_SETTINGS)
        raise ConfigurationError(
            f"{where} sets the unknown option {quoted(unknown[0])}; the options are {', '.join(_ENTRY_SETTINGS)}.{near}"
        )
    methods = _methods(options.get("allowed_methods"), where)
    timeout = options.get("timeout")
    try:
        seconds = None if timeout is None else durations.limit(timeout, "timeout")
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}") from error
    changes = {name: options[name] for name in _RETRY_TRAITS if name in options}
    queue, folder = options.get("queue"), _folder(options.get("from"), where)
    if not isinstance(queue, str | None):
        raise ConfigurationError(f"{where}: queue must be the name of a queue; got {quoted(queue)}.")
    return AllowedEntry(
        key=key,
        methods=methods,
        source=source,
        only_from=folder,
        rules=overridden(rules, changes, where),
        timeout=seconds,
        queue=queue,
    )


def _check_key(key: Any, where: str) -> None:
    if not isinstance(key, str) or not all(part.isidentifier() for part in key.split(".")):
        raise ConfigurationError(f"{where}: a key must be the dotted path of a class or module, such as 'training.Trainer'.")
    if key == CELL or key.partition(".")[0] == MAIN_MODULE:
        raise ConfigurationError(
            f"{where}: an entry can't allow notebook code; set c.BackgroundJobs.{NOTEBOOK_CODE} = True instead."
        )
    if key.partition(".")[0] == "ipybgjobs" and key != NOTEBOOK_CLASS and not key.startswith(OWN_MODULES):
        raise ConfigurationError(f"{where}: of this package, only {NOTEBOOK_CLASS} can be allowed, under that name.")


def _folder(value: Any, where: str) -> str | None:
    if value is None:
        return None
    path = os.path.expanduser(os.fspath(value)) if isinstance(value, str | os.PathLike) else ""
    if not os.path.isabs(path) or "\0" in path:
        raise ConfigurationError(f"{where}: from must be the absolute path of a folder; got {quoted(value)}.")
    return os.path.realpath(path)


def _methods(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(name, str) for name in value):
        raise ConfigurationError(f'{where} must list method names, such as ["fit", "evaluate"]; got {quoted(value)}.')
    for name in value:
        if not name.isidentifier() or name.startswith("_"):
            raise ConfigurationError(f"{where} lists {quoted(name)}; only public methods can be allowed, each by its bare name.")
    return tuple(value)


def read_file(path: str) -> Config:
    """Read the ipybgjobs sections of one file and check them with the traits.

    Raises
    ------
    ConfigurationError
        If it can't be read, or sets something that it may not.
    """
    loader = JSONFileConfigLoader if path.endswith(".json") else PyFileConfigLoader
    try:
        config = loader(os.path.basename(path), path=os.path.dirname(path)).load_config()
    except (Exception, SystemExit) as error:
        raise ConfigurationError(_broken(path, error)) from error
    ours = Config({cls.__name__: config[cls.__name__] for cls in traits.CLASSES if cls.__name__ in config})
    for cls in traits.CLASSES:
        if not isinstance(ours.get(cls.__name__, {}), dict):
            raise ConfigurationError(f"{path}: {cls.__name__} must be a mapping of its traits.")
        _check_section(path, cls, ours.get(cls.__name__, {}))
    return ours


def _check_section(path: str, cls: type[Configurable], section: Config) -> None:
    known = list(cls.class_traits(config=True))
    for name, value in section.items():
        where = f"{path}{_line_of(path, cls.__name__, name)}: {cls.__name__}.{one_line(cut(name))}"
        if name not in known:
            raise ConfigurationError(f"{where} does not exist; {cls.__name__} has {', '.join(known)}.{did_you_mean(name, known)}")
        try:
            cls(config=Config({cls.__name__: {name: _plain(value, _default(cls, name))}}))
        except TraitError as error:
            raise ConfigurationError(one_line(f"{where}: {error}")) from error
    if cls is traits.BackgroundJobs:
        where = f"{path}{_line_of(path, cls.__name__, 'allowed_jobs')}"  # once: the file may be long
        for key, value in _plain(section.get("allowed_jobs", {}), {}).items():
            allowed_entry(key, value, where, RetrySettings())


def _line_of(path: str, section: str, name: str) -> str:
    """Find the last line that sets a trait; empty if it can't be determined."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    wanted = re.compile(rf'(\b{section}\.{re.escape(name)}\b|"{re.escape(name)}")')
    found = [number for number, line in enumerate(lines, 1) if wanted.search(line.partition("#")[0])]
    return f", line {found[-1]}" if found else ""


def _broken(path: str, error: BaseException) -> str:
    line: int | None = None
    if isinstance(error, (SyntaxError, json.JSONDecodeError)):
        line = error.lineno
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    where = path if line is None else f"{path}, line {line}"
    reason = error.msg if isinstance(error, (SyntaxError, json.JSONDecodeError)) else f"{type(error).__name__}: {error}"
    return f"The configuration file {where} is broken: {one_line(reason)}. No job will start until it is fixed or removed."


def state_folder(settings: Settings) -> str:
    """Return the state folder: from the environment variable, the trait, or the default in Jupyter's data folder.

    Raises
    ------
    ConfigurationError
        If it is relative: it would depend on the current directory.
    StoreError
        If the path leads through another user's link or a world-writable folder.
    """
    chosen = os.environ.get(STATE_VARIABLE) or settings.state_dir
    if chosen and not os.path.isabs(os.path.expanduser(chosen)):
        name = STATE_VARIABLE if os.environ.get(STATE_VARIABLE) else "BackgroundJobs.state_dir"
        raise ConfigurationError(
            f"{name} must be an absolute path, since a relative one depends on the current directory; got {quoted(chosen)}."
        )
    if not chosen:
        from jupyter_core import paths

        chosen = os.path.join(sources.in_home(paths.jupyter_data_dir, STATE_VARIABLE), "ipybgjobs")
    return ownership.resolve(os.path.expanduser(chosen))


def main(descriptor: int) -> None:
    """Evaluate the sources on standard input and write the settings, or the error, as JSON to a descriptor."""
    os.set_inheritable(descriptor, False)
    files = [ConfigurationFile(*source) for source in json.load(sys.stdin)]
    try:
        answer: dict[str, Any] = {"settings": load(files).to_json()}
    except ConfigurationError as error:
        answer = {"error": str(error)}
    reply(descriptor, answer)
