"""The process of a fork server, and the channel to it; it exchanges no messages.

A supervisor starts one before it has loaded anything else: then it can be a fork. It loads next to nothing, for the same reason.
"""

import socket
from typing import TYPE_CHECKING

from ...state.folder import StateFolder
from ...system import installed, launch
from ...system.roles import command

if TYPE_CHECKING:
    import subprocess

    from ...system.forked import ForkedProcess


class ForkServerProcess:
    """One fork server that was started.

    Parameters
    ----------
    folder : StateFolder
        The state folder.
    by_fork : bool
        Whether it may be a fork of this process, which has loaded little else.

    Raises
    ------
    OSError
        If it can't be started.
    """

    def __init__(self, folder: StateFolder, *, by_fork: bool = False) -> None:
        self.packages = installed.fingerprint()  #: what was installed at its start
        self.channel, theirs = socket.socketpair()
        try:
            with theirs:
                self.process = _start(folder, theirs.fileno(), by_fork=by_fork)
        except OSError:
            self.channel.close()
            raise

    def close(self) -> None:
        """Let it exit: nothing will be launched, and it starts no other supervisor."""
        from .channel import Channel  # here, since it is rarely needed

        channel = Channel(self.channel)
        channel.send({"goodbye": True})
        channel.close()


def _start(folder: StateFolder, channel: int, *, by_fork: bool) -> "subprocess.Popen[bytes] | ForkedProcess":
    def serve() -> None:
        from . import forkserver  # in the fork only

        forkserver.main(folder.path, channel)

    words = command("forkserver", folder.path, str(channel))
    return launch.helper(words, folder.errors, channel, serve if by_fork else None)


def begin(folder: StateFolder) -> ForkServerProcess | None:
    """Start a fork server for a supervisor that has loaded nothing else; None if that is not possible now."""
    try:
        return ForkServerProcess(folder, by_fork=True)
    except OSError:
        return None
