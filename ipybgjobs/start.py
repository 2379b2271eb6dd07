"""The entry of every process that we start ourselves: ``python start.py ROLE ARGUMENTS``.

Run by its path, it works for any interpreter, whatever that one finds on its own path. It imports only what its role needs.
"""

import os
import sys

#: The folder that holds the package; on the path of every process of ours.
PACKAGE_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def command(role: str, *arguments: str, executable: str | None = None, root: str = PACKAGE_ROOT) -> list[str]:
    """Return the command line that starts a role.

    Parameters
    ----------
    role : str
        ``supervisor``, ``forkserver``, ``worker``, ``configuration`` or ``inspection``.
    *arguments : str
        What the role takes.
    executable : str, optional
        The interpreter; by default this one.
    root : str
        The folder that holds the package.
    """
    return [executable or sys.executable, f"{root}/ipybgjobs/start.py", role, *arguments]


def main(role: str, arguments: list[str]) -> None:
    """Run a role."""
    if role == "worker":
        from ipybgjobs.worker import run

        run.main(arguments[0])
    elif role == "forkserver":
        from ipybgjobs.executors import forkserver

        forkserver.main(arguments[0], int(arguments[1]))
    elif role == "supervisor":
        from ipybgjobs.supervisor import main as supervisor

        supervisor.main(arguments[0], int(arguments[1]))
    elif role == "configuration":
        from ipybgjobs.configuration import loading

        loading.main()
    elif role == "inspection":
        from ipybgjobs import inspection

        inspection.main()
    else:
        sys.exit(f"{role} is no role of ipybgjobs")


if __name__ == "__main__":
    here = os.path.join(PACKAGE_ROOT, "ipybgjobs")
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != here]
    if PACKAGE_ROOT not in sys.path:
        sys.path.append(PACKAGE_ROOT)
    main(sys.argv[1], sys.argv[2:])
