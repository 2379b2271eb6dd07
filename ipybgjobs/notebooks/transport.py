"""Connections to a kernel: sockets in its own folder, which no other process can take, or ports if it supports only those.

It creates managers and starts nothing.
"""

import os
import socket
import tempfile
from collections.abc import Iterator

import zmq
from jupyter_client.manager import AsyncKernelManager

from . import kernels

#: Number of tries to start a kernel whose ports another process has taken meanwhile.
_TRIES = 3

#: Longest address of a socket, in bytes; the smallest of the platforms' limits.
_LONGEST_ADDRESS = 103

#: Names in the folder: the connection file, and in an address its stem with the number of a channel.
_FILE, _SOCKET = "k.json", "k-ipc-9"

#: Messages of a kernel, or its client, when another process had its port.
_SIGNS = ("address already in use", "invalid signature")


def managers(name: str, folder: str | None) -> Iterator[AsyncKernelManager]:
    """Return managers for a kernel, each to be tried after the previous one has lost a port.

    Parameters
    ----------
    name : str
        The kernel.
    folder : str, optional
        Where a folder for sockets can be created if its path is short enough; otherwise it is among the temporary files.
    """
    command = kernels.Kernels().get_kernel_spec(name).argv
    place = _place(folder) if any("ipykernel" in word for word in command) else None
    if place is not None:
        yield _manager(name, transport="ipc", connection_file=f"{place}/{_FILE}")
    else:
        yield from (_manager(name) for _ in range(_TRIES))


def _manager(name: str, **connection: str) -> AsyncKernelManager:
    manager = AsyncKernelManager(kernel_name=name, kernel_spec_manager=kernels.Kernels(), **connection)
    manager.context.setsockopt(
        zmq.RCVHWM, 0
    )  # messages that can't be read at once wait; by default, those beyond 1,000 are dropped
    return manager


def has_lost_a_port(reason: str) -> bool:
    """Return whether a kernel did not start because another process has one of its ports.

    Parameters
    ----------
    reason : str
        The message of the kernel or its client.
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
    """Create a folder that supports sockets; None if there is no such place."""
    for parent in (folder, tempfile.gettempdir()):
        if parent is None or len(os.fsencode(f"{parent}/k12345678/{_SOCKET}")) > _LONGEST_ADDRESS:
            continue
        try:
            place = tempfile.mkdtemp(prefix="k", dir=parent)
        except OSError:
            continue
        if _holds_sockets(place):
            return place
        os.rmdir(place)
    return None


def _holds_sockets(place: str) -> bool:
    """Return whether a file system supports sockets: some network ones do not."""
    address = f"{place}/{_SOCKET}"
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(address)
        os.unlink(address)
    except OSError:
        return False
    return True
