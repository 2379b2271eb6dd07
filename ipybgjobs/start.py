"""The entry point of all ipybgjobs processes: ``python start.py ROLE ARGUMENTS``; imports only what the role needs."""

import os
import sys


def main(role: str, arguments: list[str]) -> None:
    """Run a role."""
    if role == "worker":
        from ipybgjobs.system import process_mark, tree
        from ipybgjobs.worker import run

        if "adopt" in arguments[1:]:
            tree.adopt_orphans()
            process_mark.apply(process_mark.of_attempt(arguments[0]))
        telling = [int(each.removeprefix("tells=")) for each in arguments[1:] if each.startswith("tells=")]
        run.main(arguments[0], telling=telling[0] if telling else None)
    elif role == "forkserver":
        from ipybgjobs.executors.local import forkserver

        forkserver.main(arguments[0], int(arguments[1]))
    elif role == "supervisor":
        from ipybgjobs.supervisor import main as supervisor

        supervisor.main(arguments[0], int(arguments[1]))
    elif role == "configuration":
        from ipybgjobs.configuration import loading

        loading.main(int(arguments[0]))
    elif role == "origin":
        from ipybgjobs.targets import origin

        origin.main(int(arguments[0]))
    elif role == "inspection":
        from ipybgjobs.targets import inspection_process

        inspection_process.main(int(arguments[0]))
    else:
        sys.exit(f"{role} is not a role of ipybgjobs")


def import_own_package() -> None:
    """Import the package that this file is part of, whatever other copy the interpreter would find; its modules follow it."""
    here = os.path.dirname(os.path.abspath(__file__))
    rest = [path for path in sys.path if os.path.abspath(path) != here]  # it would shadow modules of the standard library
    sys.path[:] = [os.path.dirname(here), *rest]
    import ipybgjobs  # noqa: F401 - for its place in sys.modules

    sys.path[:] = rest


if __name__ == "__main__":
    import_own_package()
    main(sys.argv[1], sys.argv[2:])
