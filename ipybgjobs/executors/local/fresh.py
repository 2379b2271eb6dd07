"""A launch without a fork: sound in a process that has several threads."""

from typing import Any

from ...state import attempt
from ...system import launch, worker

#: Said to a worker that adopts its descendants' orphans itself, since whoever starts it can't do it for it.
ADOPT = "adopt"


def start(request: dict[str, Any], telling: int) -> int:
    """Start an attempt in a fresh process, a child of this one.

    Parameters
    ----------
    request : dict
        A `Launch` as it comes by the channel.
    telling : int
        The descriptor over which it tells that it has begun.

    Returns
    -------
    int
        Its PID; whoever reaps waits for it.

    Raises
    ------
    OSError
        If it can't be started.
    """
    output = request["output"] or f"{request['folder']}/{attempt.OUTPUT}"
    words = [*request["command"], ADOPT, f"{worker.TELLS}{telling}"]
    child = launch.in_session(words, output, request["environment"], "/", keep=[telling])
    child.returncode = 0  # it is waited for by whoever reaps all children, and not by this object
    return child.pid
