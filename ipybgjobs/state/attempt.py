"""The attempt folder: the protocol between supervisor and worker, and everything known about an attempt.

Names every file; writes whole or not at all; reads files that a crash may have cut short or that someone may have replaced.
`reports` parses their content. It never touches the store or a process. Every worker loads it, so it imports next to nothing.

===================  ==========================================  =======================================
file                 written by                                  says
===================  ==========================================  =======================================
``started.json``     worker, before user code, exclusively       who runs it, and what a fork was sent: what to call, where, with
                                                                 what; or ``{"void": true}``: no one may
``request.json``     fork server, before a launch without fork   the same, if it is not in ``started.json``
``output.log``       worker and its children                     everything printed, in order; tracebacks uncut
``withheld.json``    worker, before user code                    which of its submitter's limits the system did not grant
``waiting.json``     worker, while its job waits for others      for which jobs
``outcome.json``     worker, at the end                          how it ended, and the result if it is plain
``outputs.jsonl``    worker                                      everything displayed, each with its place in the log
``progress.json``    worker, a few times a second                its progress
``values.json``      worker, a few times a second                values that it has recorded
``dropped.json``     supervisor                                  which part of an overlong log was dropped
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
VALUES = "values.json"
DROPPED = "dropped.json"
RESULT = "result.pkl"
EXCEPTION = "exception.pkl"
ENDING = "ending.json"
EXIT = "exit.json"

#: In the job's folder, beside the attempts: parameters that are not plain JSON. In a group's folder: those its jobs share.
PARAMETERS = "parameters.pkl"

#: Beside the attempts: what a job keeps for its next attempt.
KEPT = "kept"

#: Beside the attempts: where a hook is called.
HOOK = "hook"

#: Exit codes of a worker that could not write its outcome: ``EX_IOERR`` of ``sysexits.h``, and two that nothing else uses, for a
#: permission that its process has lost, and for one of its limits.
OUTCOME_NOT_WRITTEN, OUTCOME_FORBIDDEN, OUTCOME_LIMITED = 74, 174, 175


#: Error numbers of a hard link on a file system that has none.
_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK)


def claim_start(
    folder: str, claim: dict[str, Any], hold: Callable[[int], bool] | None = None, request: bytes | None = None
) -> bool:
    """Create ``started.json`` unless it exists; the first process to do so decides whether the attempt runs.

    Parameters
    ----------
    folder : str
        The attempt folder.
    claim : dict
        What the file says.
    hold : callable, optional
        Called with the open file before it has its name; it stays open. Its return value is written to the file as ``held``,
        and the number of the file system as ``device``.
    request : bytes, optional
        A JSON object, which is written to the file as ``request``.

    Returns
    -------
    bool
        Whether this caller was first.
    """
    if hold is None:
        return _claim(folder, lambda _: json.dumps(claim).encode(), stays_open=False)

    def said(descriptor: int) -> bytes:
        text = json.dumps(claim | {"device": os.fstat(descriptor).st_dev, "held": hold(descriptor)}).encode()
        return text if request is None else b'%b, "request": %b}' % (text[:-1], request)

    return _claim(folder, said, stays_open=True)


def _claim(folder: str, said: Callable[[int], bytes], *, stays_open: bool) -> bool:
    try:
        return _claim_by_link(folder, said, stays_open=stays_open)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    return _claim_by_name(folder, said, stays_open=stays_open)


def _claim_by_link(folder: str, said: Callable[[int], bytes], *, stays_open: bool) -> bool:
    """Claim with a hard link: the file gets its name once it is complete."""
    partial = f"{folder}/{STARTED}.{os.getpid()}.{os.urandom(4).hex()}.part"  # PIDs repeat in other namespaces
    descriptor = private_file.open_private(partial, os.O_RDWR | os.O_TRUNC)
    first = False
    try:
        private_file.write_all(descriptor, said(descriptor))
        os.link(partial, f"{folder}/{STARTED}")
        first = True
    except FileExistsError:
        pass
    finally:
        if not (stays_open and first):
            os.close(descriptor)
        os.unlink(partial)
    return first


def _claim_by_name(folder: str, said: Callable[[int], bytes], *, stays_open: bool) -> bool:
    """Claim without links: the file has its name first, and a reader that finds it incomplete looks for the process."""
    try:
        descriptor = private_file.open_private(f"{folder}/{STARTED}", os.O_RDWR | os.O_EXCL)
    except FileExistsError:
        return False
    private_file.write_all(descriptor, said(descriptor))
    if not stays_open:
        os.close(descriptor)
    return True
