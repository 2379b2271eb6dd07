"""What is looked at while a run goes on: for how long no supervisor was there, and no job ended, though work waited."""

import threading
import time
from dataclasses import dataclass

from . import rows
from .place import Place
from .processes import Process, Role, processes


@dataclass(frozen=True)
class Watched:
    """The longest times, in seconds, while work waited."""

    unsupervised: float = 0.0  #: without a supervisor
    standstill: float = 0.0  #: in which no job ended


class Watch:
    """Looks on.

    Parameters
    ----------
    place : Place
        Where.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._over = threading.Event()
        self._supervisor: Process | None = None
        self._unsupervised, self._standstill = _Stretch(), _Stretch()
        self._ended_at = 0.0

    @property
    def watched(self) -> Watched:
        """What has been seen."""
        return Watched(self._unsupervised.longest, self._standstill.longest)

    def look_on(self) -> None:
        """Look a few times a second until it is over."""
        while not self._over.wait(0.2):
            pulse = rows.pulse(self._place.database)
            if pulse is not None:
                now = time.monotonic()
                self._unsupervised.look(now, going_on=pulse.ready and not self._is_supervised())
                self._standstill.look(now, going_on=pulse.ready and pulse.ended_at == self._ended_at)
                self._ended_at = pulse.ended_at

    def finish(self) -> None:
        """Look no longer."""
        self._over.set()

    def _is_supervised(self) -> bool:
        if self._supervisor is None or not self._supervisor.alive:
            there = processes(self._place.root)
            self._supervisor = next((process for process in there if process.role is Role.SUPERVISOR), None)
        return self._supervisor is not None


class _Stretch:
    """The longest time for which something went on."""

    def __init__(self) -> None:
        self.longest = 0.0  #: seconds
        self._since: float | None = None

    def look(self, now: float, *, going_on: bool) -> None:
        self._since = (self._since or now) if going_on else None
        self.longest = max(self.longest, now - (self._since or now))
