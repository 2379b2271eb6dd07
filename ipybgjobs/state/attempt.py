"""The attempt folder: the protocol between supervisor and worker, and all that is known of an attempt.

Names every file; writes whole or not at all; reads what a crash may have cut short, and what somebody may have put in a file's
place. What the files say is in `reports`. It knows neither the store nor a process. Every worker loads it, so it imports next to
nothing.

===================  ==========================================  =======================================
file                 written by                                  says
===================  ==========================================  =======================================
``request.json``     supervisor, before the launch               what to call, where, with what
``started.json``     worker, before user code, exclusively       who runs it; or ``{"void": true}``: nobody may
``output.log``       worker and its children                     everything printed, in order; tracebacks uncut
``withheld.json``    worker, before user code                    what the system did not let it have of its submitter's limits
``waiting.json``     worker, while its job waits for others      for which jobs
``outcome.json``     worker, at the end                          how it ended, and the result if it is plain
``outputs.jsonl``    worker                                      everything displayed, each with its place in the log
``progress.json``    worker, a few times a second                how far it is
``dropped.json``     supervisor                                  which part of a log that was too long is gone
``result.pkl``       worker                                      the result if it is not plain
``exception.pkl``    worker                                      the exception, where it can be pickled, uncut
``ending.json``      supervisor, before the first signal         why the attempt is being ended
``exit.json``        fork server without a supervisor            exit status, resource use, whether it had begun
===================  ==========================================  =======================================
"""

import errno
import json
import os
from collections.abc import Callable
from typing import Any

from ..system import private_file

REQUEST = "request.json"
STARTED = "started.json"
WITHHELD = "withheld.json"
WAITING = "waiting.json"
OUTPUT = "output.log"
OUTCOME = "outcome.json"
OUTPUTS = "outputs.jsonl"
PROGRESS = "progress.json"
DROPPED = "dropped.json"
RESULT = "result.pkl"
EXCEPTION = "exception.pkl"
ENDING = "ending.json"
EXIT = "exit.json"

#: In the job's folder, beside the attempts: parameters that are not plain JSON. In a group's folder: those its jobs share.
PARAMETERS = "parameters.pkl"

#: Beside the attempts: what a job keeps for its next attempt.
KEPT = "kept"

#: Where a hook is called, beside the attempts.
HOOK = "hook"

#: Exit codes of a worker that could not write its outcome: that of ``sysexits.h`` for an error of input and output, and two that
#: nobody else uses, for a right that its process has no longer, and for a limit of it.
OUTCOME_NOT_WRITTEN, OUTCOME_FORBIDDEN, OUTCOME_LIMITED = 74, 174, 175


#: What a hard link answers on a file system that has none: numbers of errors.
_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK)


def claim_start(folder: str, claim: dict[str, Any], hold: Callable[[int], bool] | None = None) -> bool:
    """Create ``started.json`` unless it is there; whoever is first decides whether the attempt runs.

    Parameters
    ----------
    folder : str
        The attempt folder.
    claim : dict
        What the file says.
    hold : callable, optional
        Given the open file before it has its name; it stays open. What this returns is in the file as ``held``.

    Returns
    -------
    bool
        Whether this caller was first.
    """
    try:
        return _claim_by_link(folder, claim, hold)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    return _claim_by_name(folder, claim, hold)


def _claim_by_link(folder: str, claim: dict[str, Any], hold: Callable[[int], bool] | None) -> bool:
    """The file has its name once it is whole."""
    partial = f"{folder}/{STARTED}.{os.getpid()}.{os.urandom(4).hex()}.part"  # PIDs repeat in other namespaces
    descriptor = private_file.open_private(partial, os.O_RDWR | os.O_TRUNC)
    first = False
    try:
        _write_claim(descriptor, claim, hold)
        os.link(partial, f"{folder}/{STARTED}")
        first = True
    except FileExistsError:
        pass
    finally:
        if hold is None or not first:
            os.close(descriptor)
        os.unlink(partial)
    return first


def _claim_by_name(folder: str, claim: dict[str, Any], hold: Callable[[int], bool] | None) -> bool:
    """Where there are no links: the file has its name first, and whoever reads it before it is whole looks for the process."""
    try:
        descriptor = private_file.open_private(f"{folder}/{STARTED}", os.O_RDWR | os.O_EXCL)
    except FileExistsError:
        return False
    _write_claim(descriptor, claim, hold)
    if hold is None:
        os.close(descriptor)
    return True


def _write_claim(descriptor: int, claim: dict[str, Any], hold: Callable[[int], bool] | None) -> None:
    said = claim if hold is None else claim | {"held": hold(descriptor)}
    os.write(descriptor, json.dumps(said).encode())
