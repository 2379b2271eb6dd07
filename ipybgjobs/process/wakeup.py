"""A hint that the store has changed: never waited for, and nothing is lost with it, since rows are the truth.

On POSIX a datagram to a socket in the state folder. The folder is reached through ``/proc/self/fd``, so that its path may
be longer than a socket's address (107 bytes). Elsewhere: a named pipe.
"""

import contextlib
import os
import socket

from . import place
from .held import HeldFolder


def name() -> str:
    """Return the name of the socket; each place has its own, since places may share a folder."""
    return f"wakeup.{place.here()}.sock"


def send(state_dir: str) -> bool:
    """Wake the supervisor; False where nobody listens. A full buffer is success: it is awake."""
    folder = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(b"!", f"/proc/self/fd/{folder}/{name()}")
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(folder)
    return True


class Listener:
    """The supervisor's end.

    Parameters
    ----------
    folder : HeldFolder
        The state folder; a socket that a dead supervisor left behind is replaced.
    """

    def __init__(self, folder: HeldFolder) -> None:
        self._address = folder.reach(f"{folder.path}/{name()}")
        self._socket = self._bound()

    def _bound(self) -> socket.socket:
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listening.setblocking(False)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._address)
        listening.bind(self._address)
        os.chmod(self._address, 0o600)
        return listening

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._socket.fileno()

    def drain(self) -> None:
        """Forget the hints received so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(16)

    def renew(self) -> None:
        """Take the name again, if something has tidied it away."""
        if not os.path.exists(self._address):
            fresh = self._bound()
            self._socket.close()
            self._socket = fresh

    def close(self) -> None:
        """Stop listening: from here on `send` says that nobody does."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._address)
        self._socket.close()
