"""Where processes see each other: one boot of one kernel, and in it one PID namespace. A host name is only its label.

A host may be renamed while it runs, a container comes back under another name, two of them may have the same one. What two
processes have in common that can look at each other's PIDs is the boot and the namespace; that is a place.
"""

import os
from typing import NamedTuple

from . import identity

#: The first PID namespace of any Linux kernel: not a container's.
_FIRST_NAMESPACE = "pid:[4026531836]"

_MACHINE_ID = "/etc/machine-id"

#: Hexadecimal digits of the boot's id that a key begins with.
_DIGITS = 16


class Place(NamedTuple):
    """A place, as seen from one state folder; what nobody recorded is None."""

    key: str  #: tells it from all others
    host: str  #: what the machine was called; to be shown
    boot: str | None = None
    pid_namespace: str | None = None
    machine: str | None = None  #: the same after a reboot; None in a container, whose machine id may be its image's
    device: int | None = None  #: number of the file system that holds the state folder; means something within a boot


def key(boot: str, pid_namespace: str) -> str:
    """Return what tells a place from all others: short, and fit for a file's name."""
    number = pid_namespace.removeprefix("pid:[").removesuffix("]")
    return f"{boot.replace('-', '')[:_DIGITS]}-{number}"


def here() -> str:
    """Return the key of this process's place."""
    return key(identity.boot(), identity.pid_namespace())


def current(state_dir: str) -> Place:
    """Return this process's place, as seen from a state folder, or from a folder in it."""
    return Place(here(), identity.host(), identity.boot(), identity.pid_namespace(), _machine(), _device(state_dir))


def _device(path: str) -> int | None:
    try:
        return os.stat(path).st_dev
    except OSError:
        return None


def _machine() -> str | None:
    if identity.pid_namespace() != _FIRST_NAMESPACE:
        return None
    try:
        with open(_MACHINE_ID, encoding="ascii", errors="replace") as file:
            found = file.read().strip()
    except OSError:
        return None
    return f"{found}/{identity.host()}" if found else None


def is_over(place: Place, now: Place) -> bool:
    """Return whether a place's boot is over for certain: its machine runs, and is another boot's now."""
    return place.machine is not None and place.machine == now.machine and place.boot != now.boot
