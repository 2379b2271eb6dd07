"""Write the user's configuration files for the command line: an entry of the allowlist, or a commented sample.

It changes no other entry, writes whole files, and never overwrites what a user wrote.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from ..client.client import client
from ..configuration import loading, sample, sources
from ..configuration.settings import Settings
from ..errors import InvalidRequest
from ..model import surface
from ..state.folder import StateFolder
from ..system import interrupt_shield, private_file
from ..system.lock import FileLock
from . import target_checks


def change(effect: Callable[[dict[str, Any]], None]) -> None:
    """Change the package's section of the user's file, one process at a time.

    Parameters
    ----------
    effect : callable
        Changes the section.
    """
    folder = client().folder()
    interrupt_shield.run(lambda: _changed(folder, effect), lambda path: f"{path} was changed")


def _changed(folder: StateFolder, effect: Callable[[dict[str, Any]], None]) -> str:
    lock = FileLock.acquire(f"{folder.path}/allow.lock", wait=True)
    try:
        path = sources.user_file()
        content = _read(path)
        effect(content.setdefault("BackgroundJobs", {}))
        _write(path, json.dumps(content, indent=2) + "\n")
    finally:
        if lock is not None:
            lock.close()
    return path


def _write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    interrupt_shield.commit_point()
    private_file.write_whole(path, text.encode(), durable=True)


def section() -> dict[str, Any]:
    """Return the package's section of the user's file; empty if there is none."""
    found: dict[str, Any] = _read(sources.user_file()).get("BackgroundJobs", {})
    return found


def add_target(section: dict[str, Any], target: str, settings: Settings) -> None:
    """Add a target to the section; an entry of another file for the same class, which this one hides, is taken along.

    Parameters
    ----------
    section : dict
        The section as it will be written.
    target : str
        The full dotted path.
    settings : Settings
        What the files say so far.
    """
    key, _, method = target.rpartition(".")
    allowed = section.setdefault("allowed_jobs", {})
    value = allowed.get(key)
    if value is None and key in settings.allowed:
        value = _as_written(settings.allowed[key].source, key)
    allowed[key] = _with_method(value, method)


def remove_target(section: dict[str, Any], target: str) -> None:
    """Remove a target from the section, and the entry of its class if that has no method and no setting left."""
    key, _, method = target.rpartition(".")
    allowed = section["allowed_jobs"]
    left = [name for name in methods(allowed[key]) if name != method]
    if isinstance(allowed[key], dict):
        allowed[key] = {**allowed[key], "allowed_methods": left}
    elif left:
        allowed[key] = left
    else:
        del allowed[key]


def methods(value: Any) -> list[str]:
    """Return the methods that an entry lists."""
    return list((value.get("allowed_methods") if isinstance(value, dict) else value) or [])


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
    listed = methods(value)
    return listed if method in listed else [*listed, method]


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


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _check_files(arguments: argparse.Namespace) -> int:
    settings = client().settings()
    read = sum(file.status != "absent" for file in settings.files)
    said = f"{_counted(read, 'configuration file')} read, {_counted(len(settings.targets()), 'target')} allowed, no errors found."
    faults = target_checks.faults(settings.targets())
    found = {"read": read, "allowed": settings.targets(), "faults": faults}
    print(json.dumps(found) if arguments.json else "\n".join([said, *faults]), file=sys.stdout)
    return 0
