"""A hint that the store has changed: never waited for, and harmless if lost, since the rows are authoritative.

On POSIX it is a datagram to a socket in the state folder. The folder is reached through ``/proc/self/fd``, so that its path may
be longer than a socket's address (107 bytes). On a file system without sockets, the address is not a file and is derived from
the folder's path: anyone can send to it, which at worst wakes a supervisor needlessly. Elsewhere: a named pipe.
"""

import contextlib
import errno
import math
import os
import select
import socket
from collections.abc import Iterable, Iterator

from ..model.hashing import sha256
from . import place
from .open_folder import HeldFolder

#: Error numbers of binding a socket on a file system without sockets.
_NO_SOCKETS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)

#: Longest wait of one poll call, in seconds; its argument is a C integer of milliseconds.
_LONGEST_POLL = 1_000_000


def name() -> str:
    """Return the name of the socket; each place has its own, since places can share a folder."""
    return f"wakeup.{place.here()}.sock"


@contextlib.contextmanager
def _address(state_dir: str) -> Iterator[str]:
    descriptor = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{name()}"
    finally:
        os.close(descriptor)


def _address_without_file(state_dir: str) -> str:
    """Return a Linux abstract address, which begins with a zero byte and needs no file system."""
    return f"\0ipybgjobs.{sha256(os.fsencode(os.path.realpath(state_dir))).hexdigest()[:32]}.{place.here()}"


def send(state_dir: str) -> bool:
    """Wake the supervisor; False if none is listening. A full buffer counts as success: it is awake."""
    with _address(state_dir) as address, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        return _was_sent(sender, address) or _was_sent(sender, _address_without_file(state_dir))


def _was_sent(sender: socket.socket, address: str) -> bool:
    try:
        sender.sendto(b"!", address)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return True


class WakeupListener:
    """The supervisor's end.

    Parameters
    ----------
    folder : HeldFolder
        The state folder; a socket that a dead supervisor left behind is replaced.
    """

    def __init__(self, folder: HeldFolder) -> None:
        self._folder = folder
        self._address = folder.reach(f"{folder.path}/{name()}")
        self._has_file = True
        self._socket = self._bound()

    def _bound(self) -> socket.socket:
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listening.setblocking(False)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._address)
            listening.bind(self._address)
            os.chmod(self._address, 0o600)
        except OSError as error:
            if error.errno not in _NO_SOCKETS:
                raise
            self._has_file = False
            with contextlib.suppress(OSError):  # another process has taken that address: the store is checked every few seconds
                listening.bind(_address_without_file(self._folder.path))
        return listening

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._socket.fileno()

    def wait(self, others: Iterable[int], seconds: float) -> set[int]:
        """Wait for a hint or for other descriptors; return those that have news, this one's included.

        Parameters
        ----------
        others : iterable of int
            Descriptors.
        seconds : float
            Longest time.
        """
        waiting = select.poll()
        for descriptor in (self.fileno(), *others):
            waiting.register(descriptor, select.POLLIN)
        return {descriptor for descriptor, _ in waiting.poll(math.ceil(min(seconds, _LONGEST_POLL) * 1000))}

    def drain(self) -> None:
        """Forget the hints received so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(16)

    def renew(self) -> None:
        """Take the name again, if it was removed."""
        if self._has_file and not os.path.exists(self._address):
            fresh = self._bound()
            self._socket.close()
            self._socket = fresh

    def close(self) -> None:
        """Stop listening: from now on, `send` reports that no supervisor is listening."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._address)
        self._socket.close()
