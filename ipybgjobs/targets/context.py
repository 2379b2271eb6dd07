"""The context a job runs in: the caller's interpreter and flags, folder, path, limits and environment, as plain values.

The environment variables are stored separately, in a row of their own, because they hold secrets.
"""

import hashlib
import itertools
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from msgspec import Struct
from msgspec.structs import asdict, replace

from ..errors import InvalidRequest
from ..model import json_text
from ..system import limits
from ..system.roles import PACKAGE_ROOT
from . import import_path

#: Variables that act when an interpreter or its C library starts: a fork can't change their effect.
_AT_START = ("LD_", "PYTHON", "LC_", "MALLOC_", "GLIBC_")
_AT_START_NAMES = ("LANG", "LANGUAGE")

#: Of these, the ones whose effect a worker applies itself.
_SET_BY_WORKER = ("PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONIOENCODING", "PYTHONDONTWRITEBYTECODE", "PYTHONSTARTUP")


class Context(Struct, frozen=True):
    """Where and how to run; shared by all jobs of a caller.

    Parameters
    ----------
    executable, prefix : str
        The interpreter and its environment.
    package_root : str
        The folder that holds this package there.
    cwd : str
        Working directory.
    path : tuple of str
        ``sys.path``, absolute.
    umask : int
        File mode creation mask.
    startup : str
        Fingerprint of what only a fresh interpreter can adopt.
    sources : tuple of (str, str)
        Configuration files that applied at submit, with their ranks.
    flags : tuple of str
        Options of the interpreter, such as ``-O``.
    allotment : dict or None
        Limits, niceness and processors, as `Allotment.to_json`; None if an older version took the context.
    """

    executable: str
    prefix: str
    package_root: str
    cwd: str
    path: tuple[str, ...]
    umask: int
    startup: str
    sources: tuple[tuple[str, str], ...]
    flags: tuple[str, ...] = ()
    allotment: dict[str, Any] | None = None

    def to_text(self) -> str:
        """Return JSON text, the same for equal contexts."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Rebuild a context from `to_text`.

        Raises
        ------
        ValueError
            If `to_text` did not write it.
        """
        try:
            values: dict[str, Any] = json_text.parse(text)
            values["path"] = tuple(values["path"])
            values["sources"] = tuple((path, rank) for path, rank in values["sources"])
            values["flags"] = tuple(values.get("flags", ()))
            found = cls(**values)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"it is not a context: {error}") from None
        texts = (found.executable, found.prefix, found.package_root, found.cwd, found.startup, *found.path, *found.flags)
        if type(found.umask) is not int or not all(map(_is_text, (*texts, *itertools.chain(*found.sources)))):
            raise ValueError("it is not a context: a text or a number is missing")
        return found


def _is_text(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value


def acts_at_start(name: str) -> bool:
    """Return whether a variable takes effect when an interpreter or its C library starts."""
    return (name.startswith(_AT_START) or name in _AT_START_NAMES) and name not in _SET_BY_WORKER


#: Options of ``-X`` that a job can't notice; a kernel sets the first for its debugger.
_UNNOTICED = ("frozen_modules",)


def flags() -> tuple[str, ...]:
    """Return the options that this interpreter was started with and that a job could notice."""
    found = ["-" + "O" * sys.flags.optimize] if sys.flags.optimize else []
    found += ["-" + "b" * sys.flags.bytes_warning] if sys.flags.bytes_warning else []
    found += ["-I"] if sys.flags.isolated else ["-E"] if sys.flags.ignore_environment else []
    found += [f"-W{option}" for option in sys.warnoptions]
    extra = sys._xoptions  # noqa: SLF001 - its documented name
    options = {name: value for name, value in extra.items() if name not in _UNNOTICED}
    return (*found, *(f"-X{name}" if value is True else f"-X{name}={value}" for name, value in options.items()))


def startup_key(environment: Mapping[str, str]) -> str:
    """Return the fingerprint of this interpreter's start: itself, its options, and variables that act at its start."""
    return _fingerprint((sys.executable, sys.prefix, sys.version, PACKAGE_ROOT, acting_at_start(environment), flags()))


def acting_at_start(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the variables that take effect when an interpreter or its C library starts, sorted."""
    return sorted((name, value) for name, value in environment.items() if acts_at_start(name))


def _fingerprint(parts: tuple[Any, ...]) -> str:
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def working_directory() -> str | None:
    """Return the working directory of this process; None if it no longer exists."""
    try:
        return os.getcwd()
    except OSError:
        return None


def check_working_directory() -> None:
    """Check that a job can be started in the working directory of this process.

    Raises
    ------
    InvalidRequest
        If the working directory no longer exists.
    """
    if working_directory() is None:
        raise InvalidRequest("The working directory no longer exists: change to an existing one and submit again.")


def current_context(
    sources: Sequence[tuple[str, str]], environment: Mapping[str, str], umask: int, path_prefix: Sequence[str] = ()
) -> Context:
    """Return the context of this process.

    Parameters
    ----------
    sources : sequence of (str, str)
        Configuration files that apply, with their ranks.
    environment : mapping
        Environment variables.
    umask : int
        File mode creation mask.
    path_prefix : sequence of str
        Folders that go first on the import path.
    """
    return Context(
        executable=sys.executable,
        prefix=sys.prefix,
        package_root=PACKAGE_ROOT,
        cwd=os.getcwd(),
        path=(*path_prefix, *import_path.absolute()),
        umask=umask,
        startup=startup_key(environment),
        sources=tuple(sources),
        flags=flags(),
        allotment=limits.current().to_json(),
    )


def retried(own: Context, now: Context, environment: Mapping[str, str]) -> Context:
    """Return the context of a further attempt that a user asks for: the job's own, wherever that user is.

    Parameters
    ----------
    own : Context
        The context of the job so far.
    now : Context
        That of the process that asks.
    environment : mapping
        The environment variables of that process, which the attempt gets.

    Returns
    -------
    Context
        With the job's interpreter, folder and path, and after it what else is on the path of the process that asks, if that runs
        in the same interpreter. If the job's interpreter is gone, that of the process that asks takes its place.
    """
    if not os.path.exists(own.executable):
        outside = [folder for folder in own.path if not folder.startswith(f"{own.prefix}{os.sep}")]
        own = replace(now, cwd=own.cwd, path=_joined(outside, now.path), umask=own.umask, sources=own.sources)
    elif (own.executable, own.prefix, own.flags) == (now.executable, now.prefix, now.flags):
        own = replace(own, path=_joined(own.path, now.path), package_root=now.package_root, startup=now.startup)
    else:
        own = replace(own, startup=_fingerprint((own.startup, acting_at_start(environment))))
    return own if os.path.isdir(own.cwd) else replace(own, cwd=now.cwd)


def _joined(first: Iterable[str], then: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *then)))


class ContextCache:
    """Rebuilds the context of this process only if something in it has changed."""

    def __init__(self) -> None:
        self._taken: tuple[Any, str] = (None, "")  # a single value: an interrupt can't leave a text beside another's key

    def current(
        self, sources: Sequence[tuple[str, str]], environment: Mapping[str, str], umask: int, path_prefix: Sequence[str] = ()
    ) -> str:
        """Return the context as text."""
        key = (os.getcwd(), list(sys.path), umask, sources, environment, path_prefix, limits.current())
        if key != self._taken[0]:
            self._taken = (key, current_context(sources, environment, umask, path_prefix).to_text())
        return self._taken[1]
