"""Build the command that starts an ipybgjobs process: by the path of ``start.py``, so it works for any interpreter."""

import os
import sys
from collections.abc import Sequence

#: The folder that holds the package.
PACKAGE_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

#: What C code of a job prints goes to the log at once, in order with the rest: the exit of a worker flushes no buffer of C.
_UNBUFFERED = "-u"


def command(
    role: str, *arguments: str, executable: str | None = None, root: str = PACKAGE_ROOT, flags: Sequence[str] = ()
) -> list[str]:
    """Return the command line that starts a role.

    Parameters
    ----------
    role : str
        ``supervisor``, ``forkserver``, ``worker``, ``configuration``, ``origin`` or ``inspection``.
    *arguments : str
        Arguments of the role.
    executable : str, optional
        The interpreter; by default this one.
    root : str
        The folder that holds the package.
    flags : sequence of str
        Options of the interpreter.
    """
    return [executable or sys.executable, *flags, _UNBUFFERED, f"{root}/ipybgjobs/start.py", role, *arguments]
