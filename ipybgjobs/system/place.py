"""A place: the scope in which processes see each other, one PID namespace in one boot of a kernel. A host name is only its label.

A host can be renamed while it runs, a container can return under another name, and two can have the same name. Two processes that
can see each other's PIDs share the boot and the namespace; together these are a place.
"""

import os
from typing import NamedTuple

from . import identity

#: The first PID namespace of any Linux kernel, which never belongs to a container.
_FIRST_NAMESPACE = "pid:[4026531836]"

_MACHINE_ID = "/etc/machine-id"

#: Number of hexadecimal digits of the boot's id at the beginning of a key.
_DIGITS = 16


class Place(NamedTuple):
    """A place, as seen from one state folder; values that were not recorded are None."""

    key: str  #: identifies it
    host: str  #: name of the machine, for display
    boot: str | None = None
    pid_namespace: str | None = None
    machine: str | None = None  #: the same after a reboot; None in a container, whose machine id may come from its image
    device: int | None = None  #: number of the file system that holds the state folder; valid within a boot


def key(boot: str, pid_namespace: str) -> str:
    """Return the identifier of a place: short, and usable in a file name."""
    number = pid_namespace.removeprefix("pid:[").removesuffix("]")
    return f"{boot.replace('-', '')[:_DIGITS]}-{number}"


def here() -> str:
    """Return the key of this process's place."""
    return key(identity.boot(), identity.pid_namespace())


def current(state_dir: str) -> Place:
    """Return this process's place, as seen from a state folder, or from a folder in it."""
    return Place(here(), identity.host(), identity.boot(), identity.pid_namespace(), machine(), _device(state_dir))


def _device(path: str) -> int | None:
    try:
        return os.stat(path).st_dev
    except OSError:
        return None


def learn_constants() -> None:
    """Look up the values that are the same for a process and its forks, so that forks need not."""
    identity.learn_constants()
    machine()


#: What identifies this machine, once it was looked up.
_known_machine: list[str | None] = []


def machine() -> str | None:
    """Return what identifies this machine, the same after a reboot; None in a container."""
    if not _known_machine:
        _known_machine.append(_read_machine())
    return _known_machine[0]


def _read_machine() -> str | None:
    if identity.pid_namespace() != _FIRST_NAMESPACE:
        return None
    try:
        with open(_MACHINE_ID, encoding="ascii", errors="replace") as file:
            found = file.read().strip()
    except OSError:
        return None
    return f"{found}/{identity.host()}" if found else None


def is_over(place: Place, now: Place) -> bool:
    """Return whether a place's boot has certainly ended: its machine is running, and was booted again."""
    return place.machine is not None and place.machine == now.machine and place.boot != now.boot
