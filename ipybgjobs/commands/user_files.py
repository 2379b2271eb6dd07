"""Write the user's configuration files for the command line: an entry of the allowlist, or a commented sample.

It changes no other entry, writes whole files, and never overwrites what a user wrote.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..client.client import client
from ..configuration import loading, sample, sources
from ..configuration.settings import NOTEBOOK_CLASS, Settings
from ..errors import ConfigurationError, InvalidRequest, JobNotAllowed
from ..model import globs, surface
from ..state.folder import StateFolder
from ..system import interrupt_shield, private_file
from ..system.lock import FileLock
from ..targets import allowlist, target_rules


def allow(arguments: argparse.Namespace) -> int:
    """Allow a target, or a pattern of notebooks, in the user's configuration file."""
    given = arguments.target
    allowed = _allow_notebooks(given) if given.endswith(".ipynb") else _allow_target(given)
    said = f"{allowed} is allowed ({sources.user_file()})."
    print(json.dumps({"allowed": allowed, "file": sources.user_file()}) if arguments.json else said)
    return 0


def _allow_target(target: str) -> str:
    settings = client().settings()
    if not allowlist.is_allowed(target, settings):
        _check(target, settings)
        _change(lambda section: _add_target(section, target))
    allowlist.find_permission(target, _now_allowed(target))
    return target


def _allow_notebooks(given: str) -> str:
    """Allow a notebook by its path, or notebooks by a pattern, and the class that runs them; return the pattern."""
    settings = client().settings()
    pattern = globs.of(given)
    if pattern is None:
        raise InvalidRequest(
            f"There is no notebook {given}; to allow notebooks that do not exist yet, use a pattern in quotes: 'work/**/*.ipynb'."
        )
    if not target_rules.fits_notebook(given, settings) and pattern not in settings.allowed_notebooks:
        if settings.locked_by:
            raise JobNotAllowed(
                f"The administrator's file {settings.locked_by} is locked: only a pattern in that file can allow {given}."
            )
        _change(lambda section: section.setdefault("allowed_notebooks", []).append(pattern))
    _allow_target(f"{NOTEBOOK_CLASS}.run")
    return pattern


def _change(change: Callable[[dict[str, Any]], None]) -> None:
    """Change the package's section of the user's file, one process at a time."""
    folder = client().folder()
    interrupt_shield.run(lambda: _changed(folder, change), lambda path: f"{path} was changed")


def _changed(folder: StateFolder, change: Callable[[dict[str, Any]], None]) -> str:
    lock = FileLock.acquire(f"{folder.path}/allow.lock", wait=True)
    try:
        path = sources.user_file()
        content = _read(path)
        change(content.setdefault("BackgroundJobs", {}))
        _write(path, json.dumps(content, indent=2) + "\n")
    finally:
        if lock is not None:
            lock.close()
    return path


def _write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    interrupt_shield.commit_point()
    private_file.write_whole(path, text.encode(), durable=True)


def _check(target: str, settings: Settings) -> None:
    if settings.locked_by:
        raise JobNotAllowed(
            f"The administrator's file {settings.locked_by} is locked: only an entry in that file can allow {target}."
        )
    try:
        allowlist.find_permission(target, replace(settings, allowed={}, narrowed=()))
    except JobNotAllowed as refusal:
        if "is not on the allowlist" not in str(refusal):
            raise


def _add_target(section: dict[str, Any], target: str) -> None:
    settings = client().settings()
    key, _, method = target.rpartition(".")
    allowed = section.setdefault("allowed_jobs", {})
    value = allowed.get(key)
    if value is None and key in settings.allowed:
        value = _as_written(settings.allowed[key].source, key)
    allowed[key] = _with_method(value, method)


def _read(path: str) -> dict[str, Any]:
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        content: dict[str, Any] = json.load(file)
    return content


def _as_written(path: str, key: str) -> Any:
    """Return the entry of another file that the user's would hide, so that it can be copied."""
    value = loading.read_file(path)["BackgroundJobs"]["allowed_jobs"][key]
    return json.loads(json.dumps(value, default=_as_json))


def _as_json(value: Any) -> str:
    """Convert values that a Python file can hold but JSON can't: folders as paths, exceptions as classes."""
    from ..configuration.traits import exception_name

    return os.fspath(value) if isinstance(value, os.PathLike) else exception_name(value)


def _with_method(value: Any, method: str) -> Any:
    if isinstance(value, dict):
        return {**value, "allowed_methods": _with_method(value.get("allowed_methods"), method)}
    methods = list(value or [])
    return methods if method in methods else [*methods, method]


def _now_allowed(target: str) -> Settings:
    settings = client().settings()
    key = target.rpartition(".")[0]
    if not allowlist.is_allowed(target, settings) and key in settings.allowed:
        raise ConfigurationError(
            f"{sources.user_file()} now has {target}, but {settings.allowed[key].source} ranks higher and decides {key}: "
            "add it there."
        )
    return settings


def config(arguments: argparse.Namespace) -> int:
    """Write a sample configuration, show what applies, or check it for errors."""
    actions = {"init": _init, "show": _show, "check": _check_files}
    return actions[arguments.action](arguments)


def _init(arguments: argparse.Namespace) -> int:
    path = sources.user_python_file()
    if os.path.exists(path):
        raise InvalidRequest(
            f"{path} already exists and was not overwritten; {surface.command('config show')} shows what applies."
        )
    interrupt_shield.run(lambda: _write(path, sample.text()), lambda _: f"{path} was written")
    print(json.dumps({"file": path}) if arguments.json else f"Wrote {path}; everything in it is commented out.")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    settings = client().settings()
    shown = settings.to_json() | {"state_dir": loading.state_folder(settings)}
    if arguments.json:
        print(json.dumps(shown, indent=2))
        return 0
    print("Files, highest rank last:")
    for file in settings.files:
        print(f"  {file.rank:12}{file.path}  [{file.status}]")
    print("Allowed:" if settings.allowed else "Allowed: nothing yet")
    for entry in settings.allowed.values():
        print(f"  {entry.key}: {', '.join(entry.methods)}  ({entry.source})")
    print(f"Code of notebooks: {f'allowed ({settings.notebook_code})' if settings.notebook_code else 'not allowed'}")
    for name in (
        "allowed_notebooks",
        "queues",
        "rules",
        "logs",
        "state_dir",
        "secret_names",
        "idle_seconds",
        "kill_grace_seconds",
        "exit_grace_seconds",
        "end_children",
    ):
        print(f"{name}: {shown[name]}")
    return 0


def _check_files(arguments: argparse.Namespace) -> int:
    settings = client().settings()
    read = sum(file.status != "absent" for file in settings.files)
    said = f"{read} configuration files read, {len(settings.targets())} targets allowed, no errors found."
    print(json.dumps({"read": read, "allowed": settings.targets()}) if arguments.json else said, file=sys.stdout)
    return 0
