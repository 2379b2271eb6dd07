"""Launch without a fork: safe in a process that has several threads."""

from typing import Any

from ...state import attempt
from ...system import launch, worker

#: Tells a worker to adopt its descendants' orphans itself, since its starter can't set that up for it.
ADOPT = "adopt"


def start(request: dict[str, Any], environment: dict[str, str], telling: int) -> int:
    """Start an attempt in a fresh process, a child of this one.

    Parameters
    ----------
    request : dict
        The message about a `LaunchRequest`, as received over the channel.
    environment : dict of str to str
        Its environment variables.
    telling : int
        The descriptor over which it reports that it has begun.

    Returns
    -------
    int
        Its PID; the caller has to reap it.

    Raises
    ------
    OSError
        If it can't be started.
    """
    output = request["output"] or f"{request['folder']}/{attempt.OUTPUT}"
    words = [*request["command"], ADOPT, f"{worker.TELLS}{telling}"]
    child = launch.in_session(words, output, environment, "/", keep=[telling])
    child.returncode = 0  # it is reaped with all other children, not by this object
    return child.pid
