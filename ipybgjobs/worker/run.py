"""One attempt, from its folder: claim the start, become the caller, call the method, record the outcome, leave.

The claim comes before anything of the user's; the outcome is written by this very process, never by a fork of it.
"""

import contextlib
import os
import sys
import time
from typing import Any, NoReturn

from .. import attempt, plain, resolve
from ..process import identity, worker
from . import context, outcome


def main(folder: str, environment: dict[str, str] | None = None) -> NoReturn:
    """Run the attempt; the process ends with it.

    Parameters
    ----------
    folder : str
        The attempt folder.
    environment : dict of str to str, optional
        Environment variables of the job; by default those of this process.
    """
    request = attempt.read_json(folder, attempt.REQUEST)
    if request is None or not attempt.claim_start(folder, _claim(), worker.hold_alive):
        os._exit(0)  # voided: another launch runs it
    worker.unwind_on_terminate()
    pid = os.getpid()
    record = _run(folder, request, dict(os.environ) if environment is None else environment)
    if os.getpid() != pid:
        _leave_fork()
    record["ended_at"] = time.time()
    attempt.write_json(folder, attempt.OUTCOME, record)
    worker.linger_while_ending(f"{folder}/{attempt.ENDING}")
    worker.leave(0 if record["status"] == "succeeded" else 1, request["exit_grace_seconds"])


def _claim() -> dict[str, Any]:
    return {
        "process": identity.current().to_json(),
        "launcher": identity.current(os.getppid()).to_json(),
        "host": identity.host(),
        "pid_namespace": identity.pid_namespace(),
        "started_at": time.time(),
    }


def _run(folder: str, request: dict[str, Any], environment: dict[str, str]) -> dict[str, Any]:
    """Call the method and say how it ended; whatever the user's code does, this returns, in each of its forks."""
    pid = os.getpid()
    try:
        value = _call(request, environment)
        return outcome.succeeded(folder, value) if os.getpid() == pid else {}
    except BaseException as error:
        if os.getpid() != pid:
            return {}
        if isinstance(error, MemoryError):
            outcome.let_go_of_frames(error)
        if isinstance(error, SystemExit) and error.code in (None, 0):
            return outcome.succeeded(folder, None)
        _print_exception(error)
        return outcome.failed(folder, error)


def _call(request: dict[str, Any], environment: dict[str, str]) -> Any:
    context.enter(request, environment)
    owner = resolve.resolve(request["key"], request["only_from"])
    init, params = dict(request["init"]), dict(request["params"])
    if request["pickled"]:
        _unpickle(request["pickled"], init, params)
    function = resolve.bound(owner, request["method"], init)
    positional = [params.pop(name) for name in request["positional"]]
    value = function(*positional, **params)
    return _awaited(value) if hasattr(value, "__await__") else value


def _unpickle(path: str, init: dict[str, Any], params: dict[str, Any]) -> None:
    with open(path, "rb") as file:
        values = plain.load(file.read())
    for slot, value in values.items():
        group, _, name = slot.partition(".")
        (init if group == "init" else params)[name] = value


def _awaited(awaitable: Any) -> Any:
    import asyncio

    async def wait() -> Any:
        return await awaitable

    return asyncio.run(wait())


def _print_exception(error: BaseException) -> None:
    """Show it in the log too, where somebody who follows the job looks."""
    import traceback

    outcome.begin_at_user_code(error)
    with contextlib.suppress(Exception):
        traceback.print_exception(error)


def _leave_fork() -> NoReturn:
    """A fork of the worker came back from the user's code: it records nothing."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(0)
