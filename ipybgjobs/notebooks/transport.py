"""How a kernel is reached: by sockets in a folder of its own, which nobody else can take; by ports where it knows no others.

It makes managers and starts nothing.
"""

import os
import tempfile
from collections.abc import Iterator

import zmq
from jupyter_client.manager import AsyncKernelManager

from ..system import filesystem
from . import kernels

#: How often a kernel is started whose ports another process has taken meanwhile.
_TRIES = 3

#: Longest address of a socket, in bytes; the smallest of the platforms' limits.
_LONGEST_ADDRESS = 103

#: What follows the folder in an address: the connection file's stem, and the number of a channel.
_FILE, _SOCKET = "k.json", "k-ipc-9"

#: What a kernel, or its client, says when another process had its port.
_SIGNS = ("address already in use", "invalid signature")


def managers(name: str, folder: str | None) -> Iterator[AsyncKernelManager]:
    """Return managers for a kernel, each to be tried once the one before has lost a port.

    Parameters
    ----------
    name : str
        The kernel.
    folder : str, optional
        Where a folder for sockets may be made, if its path is short enough; else that is among the temporary files.
    """
    command = kernels.Kernels().get_kernel_spec(name).argv
    place = _place(folder) if any("ipykernel" in word for word in command) else None
    if place is not None:
        yield _manager(name, transport="ipc", connection_file=f"{place}/{_FILE}")
    else:
        yield from (_manager(name) for _ in range(_TRIES))


def _manager(name: str, **connection: str) -> AsyncKernelManager:
    manager = AsyncKernelManager(kernel_name=name, kernel_spec_manager=kernels.Kernels(), **connection)
    manager.context.setsockopt(zmq.RCVHWM, 0)  # what can't be read at once waits; by default all beyond 1,000 messages is dropped
    return manager


def has_lost_a_port(reason: str) -> bool:
    """Whether a kernel did not start since another process has one of its ports.

    Parameters
    ----------
    reason : str
        What the kernel or its client said.
    """
    return any(sign in reason.lower() for sign in _SIGNS)


def leave(manager: AsyncKernelManager) -> None:
    """Remove the folder of a kernel's sockets, once the kernel has ended."""
    if manager.transport == "ipc":
        place = os.path.dirname(manager.connection_file)
        for name in os.listdir(place):
            os.unlink(f"{place}/{name}")
        os.rmdir(place)


def _place(folder: str | None) -> str | None:
    """Make a folder where sockets can be; None where there is no such place."""
    for parent in (folder, tempfile.gettempdir()):
        if parent is None or len(os.fsencode(f"{parent}/k12345678/{_SOCKET}")) > _LONGEST_ADDRESS:
            continue
        try:
            place = tempfile.mkdtemp(prefix="k", dir=parent)
        except OSError:
            continue
        if filesystem.holds_sockets(place, _SOCKET):
            return place
        os.rmdir(place)
    return None
