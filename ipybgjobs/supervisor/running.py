"""The attempts under way, and how they are found again: after a crash of the supervisor, or of a fork server.

What is found is looked at by its folder: an attempt that has not started is voided and launched again, one that runs is watched,
one that has gone is judged.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from .. import attempt
from ..executors.local import LocalExecutor
from ..models import Outcome
from ..process import identity, worker
from ..process.identity import ProcessIdentity
from .ending import Ending

#: Seconds that a fork server without supervisor is given to write how its child ended.
PATIENCE = 2.0


@dataclass(slots=True)
class Running:
    """An attempt that holds a slot."""

    job_id: int
    number: int
    folder: str
    deadline: float | None = None  #: on the monotonic clock; None: no timeout
    ending: Ending | None = None
    remains: list[int] = field(default_factory=list)  #: processes that could not be ended
    voided_at: float = field(default_factory=time.monotonic)  #: when it was found that it has to be launched again
    elsewhere: bool = False  #: in another PID namespace of this host: only its lock can be seen


class Found(Enum):
    """What a look at an attempt folder finds."""

    VOID = "void"  #: it has not started, and never will
    WATCHED = "watched"
    GONE = "gone"
    ELSEWHERE = "elsewhere"


def look(folder: str, executor: LocalExecutor, clock: Callable[[], float] = time.monotonic) -> Found:
    """Find out about an attempt that somebody else launched.

    The start marker decides: where there is none, it is created as void, and whoever creates it first wins.
    """
    try:
        if attempt.claim_start(folder, {"void": True}):
            return Found.VOID
    except FileNotFoundError:
        return Found.VOID  # claimed, and not even a folder
    started = attempt.read_json(folder, attempt.STARTED) or {}
    if started.get("void"):
        return Found.VOID
    if started.get("pid_namespace") != identity.pid_namespace():
        return Found.ELSEWHERE if is_held_elsewhere(folder) else Found.GONE
    if executor.watch(folder, ProcessIdentity(**started["process"])):
        return Found.WATCHED
    wait_for_exit_report(folder, started, clock)
    return Found.GONE


def is_held_elsewhere(folder: str) -> bool:
    """Whether an attempt's process lives where its PID can't be seen."""
    return worker.is_held_alive(f"{folder}/{attempt.STARTED}")


def wait_for_exit_report(folder: str, started: dict[str, Any] | None = None, clock: Callable[[], float] = time.monotonic) -> None:
    """Give the fork server that launched the attempt, if it lives, a moment to write how it ended."""
    started = started or attempt.read_json(folder, attempt.STARTED) or {}
    if "launcher" not in started:
        return
    launcher = ProcessIdentity(**started["launcher"])
    limit = clock() + PATIENCE
    while attempt.read_json(folder, attempt.EXIT) is None and identity.is_alive(launcher) and clock() < limit:
        time.sleep(0.005)


def begin_ending(running: Running, reason: Outcome, grace: float) -> Ending | None:
    """Begin to end an attempt; None where it is enough to void its start, or where its processes can't be seen."""
    if attempt.claim_start(running.folder, {"void": True}):
        return None
    started = attempt.read_json(running.folder, attempt.STARTED) or {}
    if started.get("void") or started.get("pid_namespace") != identity.pid_namespace():
        return None
    return Ending(running.folder, ProcessIdentity(**started["process"]), reason, grace)
