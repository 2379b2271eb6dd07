"""Take on the caller's context, as far as a process can: variables, time zone, limits, directory, path, umask, streams.

Anything that the system withholds is recorded in the attempt folder, and never keeps a job from running.
"""

import contextlib
import os
import sys
import types
from typing import Any, NoReturn

from ..state import attempt
from ..system import limits, private_file
from . import streams

_NO_KEYBOARD = "A background job has no keyboard: pass the value as a parameter"


def enter(folder: str, request: dict[str, Any]) -> None:
    """Take on the caller's context; this process has its environment variables already.

    Parameters
    ----------
    folder : str
        The attempt folder.
    request : dict
        Working directory, path, umask, allotment.

    Raises
    ------
    FileNotFoundError
        If the working directory no longer exists.
    """
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    sys.path[:] = request["path"]
    sys.path_importer_cache.clear()  # importlib.invalidate_caches would import importlib.metadata, from 3.12 on
    os.umask(request["umask"])
    _take(folder, request.get("allotment"))
    _change_folder(request["cwd"])
    _fresh_main()
    _streams()


def _take(folder: str, wanted: dict[str, Any] | None) -> None:
    """Take on the caller's limits, niceness and processors."""
    withheld = [] if wanted is None else limits.take(limits.Allotment.from_json(wanted))
    if withheld:
        with contextlib.suppress(OSError):  # a full disk: the job runs anyway
            private_file.write_json(folder, attempt.WITHHELD, {"withheld": withheld})


def _change_folder(path: str) -> None:
    try:
        os.chdir(path)
    except OSError as error:
        raise FileNotFoundError(f"Could not change to the job's working directory {path}: {error.strerror}.") from None


def _fresh_main() -> None:
    """Give the job its own `__main__`, so that multiprocessing and pickle in the job don't import that of the worker."""
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    sys.argv = [""]


def _streams() -> None:
    streams.install()
    sys.stdin = _NoKeyboard()  # only as much of a stream as `input` and `read` need
    sys.breakpointhook = _no_breakpoint


class _NoKeyboard:
    """Standard input of a job, which only explains why there is none."""

    encoding = "utf-8"
    errors = "strict"
    closed = False

    def fileno(self) -> int:
        return 0

    def isatty(self) -> bool:
        return False

    def readable(self) -> bool:
        return True

    def read(self, *_: Any) -> NoReturn:
        raise EOFError(f"{_NO_KEYBOARD}; input() and sys.stdin are not available.")

    readline = readlines = __iter__ = __next__ = read

    def close(self) -> None:
        """Do nothing: there is nothing to close."""


def _no_breakpoint(*_: Any, **__: Any) -> NoReturn:
    raise RuntimeError(f"{_NO_KEYBOARD}; breakpoint() is not available. Call the method in the notebook to debug it.")
