"""Decode the exit status of a process, as the system returns it to the process that waits. It waits for nothing."""

import os


def decode(status: int | None) -> tuple[int | None, int | None]:
    """Return the exit code, or else the number of the signal that ended the process.

    Parameters
    ----------
    status : int or None
        As returned by `os.wait`; None if it is unknown.
    """
    if status is None:
        return None, None
    return (None, os.WTERMSIG(status)) if os.WIFSIGNALED(status) else (os.WEXITSTATUS(status), None)
