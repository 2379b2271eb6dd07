"""The origin of a job's code: interpreter, package versions, git commit; gathered in a separate process.

Run as a program, it answers for the interpreter that runs it.
"""

import contextlib
import json
import os
import sys
from collections.abc import Iterable
from typing import Any, Self

from msgspec import Struct, field

#: Longest time that git may take, in seconds.
_LONGEST_GIT = 10.0


class Origin(Struct, frozen=True):
    """The origin of a run.

    Parameters
    ----------
    python : str
        Version of the interpreter.
    packages : dict of str to str
        Versions of the installed packages.
    commit : str or None
        The git commit of the target's folder; None if there is none.
    dirty : bool or None
        Whether tracked files differed from it.
    """

    python: str
    packages: dict[str, str] = field(default_factory=dict)
    commit: str | None = None
    dirty: bool | None = None

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Rebuild an origin from JSON values."""
        return cls(**value)


def gather(folder: str) -> dict[str, Any]:
    """Examine this interpreter and a folder, and return an origin's JSON values."""
    commit = _git(folder, "rev-parse", "HEAD")
    changes = None if commit is None else _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {
        "python": sys.version.split()[0],
        "packages": dict(sorted(packages(sys.path).items())),
        "commit": commit,
        "dirty": None if changes is None else bool(changes),
    }


def packages(path: Iterable[str]) -> dict[str, str]:
    """Return the versions of the packages in some folders, the first of each name; read from names of metadata folders."""
    found: dict[str, str] = {}
    for folder in path:
        with contextlib.suppress(OSError):
            for entry in os.listdir(folder):
                name, dash, version = entry.removesuffix(".dist-info").partition("-")
                if dash and entry.endswith(".dist-info"):
                    found.setdefault(name, version)
    return found


def _git(folder: str, *words: str) -> str | None:
    """Return the output of git; None if there is no git, no repository, or no answer."""
    import subprocess  # here, since a supervisor, which loads this module, runs no git

    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", folder, *words],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            timeout=_LONGEST_GIT,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def main(descriptor: int) -> None:
    """Answer a question on standard input (a folder, and the interpreter's module path) in JSON, to a descriptor."""
    question = json.load(sys.stdin)
    sys.path[:] = question["path"]
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(gather(question["folder"]), file)


def differences(before: Origin | None, after: Origin | None) -> list[str]:
    """Return what differs, each in a few words."""
    if before is None or after is None:
        return []
    said = [] if before.python == after.python else [f"Python {before.python} → {after.python}"]
    if before.commit != after.commit:
        said.append(f"commit {_short(before.commit)} → {_short(after.commit)}")
    if before.dirty != after.dirty:
        said.append("uncommitted changes" if after.dirty else "no more uncommitted changes")
    names = sorted(before.packages.keys() | after.packages.keys())
    pairs = [(name, before.packages.get(name), after.packages.get(name)) for name in names]
    said += [f"{name} {old or 'absent'} → {new or 'absent'}" for name, old, new in pairs if old != new]
    return said


def _short(commit: str | None) -> str:
    return "none" if commit is None else commit[:10]
