"""One fork server, as its supervisor sees it: what was sent, what it has reported, and since when it has been silent.

It never waits for the process. A server that does not answer is abandoned: the channel is closed, so it launches nothing more.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..launch_request import LaunchKind, LaunchRequest
from .channel import Channel
from .server_process import ForkServerProcess

if TYPE_CHECKING:
    import subprocess

    from ...system import forked

#: Seconds between two pings while it has something to do; seconds that it may take to answer.
_ASK, PATIENCE = 2.0, 4.0

#: Seconds between two checks of servers that are waited for at the end.
_CLOSING = 0.005


class ForkServerClient:
    """One fork server.

    Parameters
    ----------
    started : ForkServerProcess
        Its process.
    clock : callable
        The monotonic clock, in seconds.
    """

    def __init__(self, started: ForkServerProcess, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.packages = started.packages
        self.folders: set[str] = set()  #: folders of attempts whose end it has not reported
        self.begun: set[str] = set()  #: those of them that it has reported as begun
        self.has_launched = False
        self._environment: dict[str, str] | None = None  # that of the launches that were sent last
        self._looked = clock()
        self._heard = clock()
        self._answered = clock()  # when a ping was answered, or sent
        self._asked: float | None = None
        self.process = started.process
        self.channel = Channel(started.channel)

    def launch(self, request: LaunchRequest) -> None:
        """Request the launch of an attempt, once `Channel.flush` is called; the answer shows that the server is alive."""
        self.folders.add(request.folder)
        if request.environment != self._environment:
            self._environment = request.environment
            self.channel.add({"environment": request.environment})
        self.channel.add({"launch": _message(request)}, request.content)
        if self._asked is None:
            self._asked = self._clock()

    def receive(self) -> tuple[list[dict[str, Any]], bool]:
        """Return its messages, and whether it is still connected."""
        messages, there = self.channel.receive()
        if messages:
            self._heard, self._asked = self._clock(), None
        self.has_launched |= any("launched" in message for message in messages)
        for message in messages:
            if "pong" in message:
                self.begun.update(message.get("begun", ()))
                self._answered = self._heard
        self.begun &= self.folders
        return messages, there

    def _ask(self) -> None:
        self._asked = self._answered = self._clock()
        self.channel.send({"ping": 1})

    def ping(self) -> bool:
        """Ping it from time to time; return whether it has been silent for too long."""
        now = self._clock()
        away, self._looked = now - self._looked, now
        if away > 2 * PATIENCE and self._asked is not None:
            self._asked = now  # this process was stopped itself: the server may have answered, or been stopped as well
        if self._asked is None and self.folders and now - self._answered >= _ASK:
            self._ask()
        return self._asked is not None and now - self._asked > PATIENCE

    def seconds_until_due(self) -> float | None:
        """Return the seconds until the next check; None if it has nothing to do."""
        if self._asked is not None:
            return max(0.0, self._asked + PATIENCE - self._clock()) + 0.01
        return max(0.0, self._answered + _ASK - self._clock()) if self.folders else None

    @property
    def silent_for(self) -> float:
        """Return the seconds since it last answered, or was pinged."""
        return self._clock() - (self._heard if self._asked is None else self._asked)


def _message(request: LaunchRequest) -> dict[str, Any]:
    """Return a request as a message, since a fork server does not load the classes of a request."""
    return {
        "folder": request.folder,
        "command": list(request.command),
        "output": request.output,
        "forked": request.kind is LaunchKind.FORK,
    }


class ClosingForkServers:
    """Fork servers that are shutting down: nothing waits for them, and none is left running."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._processes: list[tuple[subprocess.Popen[bytes] | forked.ForkedProcess, float]] = []

    def add(self, server: ForkServerClient) -> None:
        """Shut down a server that has nothing left to do."""
        server.channel.close()
        self._processes.append((server.process, self._clock() + PATIENCE))

    def step(self) -> None:
        """Reap servers that have ended, and kill those that take too long."""
        for process, limit in self._processes:
            if process.poll() is None and self._clock() > limit:
                process.kill()
        self._processes = [each for each in self._processes if each[0].returncode is None]

    def close(self) -> None:
        """Wait for all of them; the last step of a supervisor."""
        while self._processes:
            self.step()
            time.sleep(_CLOSING)
