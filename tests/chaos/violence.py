"""Kills, stops and interrupts, drawn from the seed: one at a time, a few a second, only processes of the run.

Whoever is stopped is continued a little later. Each blow is written down with the PID that it hit.
"""

import itertools
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from .place import Place
from .processes import Process, Role, processes

#: What is done to whom, by weight. `BOTH`, `ALL`: supervisor and fork server, or all but the clients, at the same moment.
_BLOWS: tuple[tuple[float, str, str], ...] = (
    (10, Role.SUPERVISOR, "kill"),
    (5, Role.SUPERVISOR, "stop"),
    (2, Role.SUPERVISOR, "interrupt"),
    (8, Role.SERVER, "kill"),
    (4, Role.SERVER, "stop"),
    (20, Role.WORKER, "kill"),
    (5, Role.WORKER, "stop"),
    (5, Role.WORKER, "interrupt"),
    (3, Role.WORKER, "terminate"),
    (8, Role.CHILD, "kill"),
    (2, Role.CHILD, "stop"),
    (4, Role.CLIENT, "kill"),
    (4, Role.CLIENT, "stop"),
    (30, Role.CLIENT, "interrupt"),
    (2, Role.HELPER, "kill"),
    (3, "both", "kill"),
    (1, "all", "kill"),
)

_SIGNALS = {"kill": signal.SIGKILL, "interrupt": signal.SIGINT, "terminate": signal.SIGTERM, "stop": signal.SIGSTOP}

#: Seconds for which a process is stopped.
_SHORTEST_STOP, _LONGEST_STOP = 0.05, 2.5

#: Interrupts that hit a client in one blow, and the seconds between them.
_BURST, _GAP = 4, 0.02


@dataclass(frozen=True)
class Strength:
    """How much is done, and to whom not.

    Parameters
    ----------
    rate : float
        Blows a second; 0: none.
    spare : tuple of str
        Roles that are not struck.
    """

    rate: float
    spare: tuple[str, ...] = ()


class Violence:
    """What is done to the processes of a run.

    Parameters
    ----------
    place : Place
        Whose processes.
    seed : int
        Of the run.
    strength : Strength
        How much of it.
    pause : callable
        Waits so many seconds, and says whether it is over.
    """

    def __init__(self, place: Place, seed: int, strength: Strength, pause: Callable[[float], bool]) -> None:
        self._place = place
        self._draw = random.Random(f"{seed}/violence")
        self._rate = strength.rate
        self._blows = [blow for blow in _BLOWS if blow[1] not in strength.spare]
        self._pause = pause
        self._stopped: list[tuple[float, Process]] = []  # with the moment at which each goes on

    def rage(self) -> None:
        """Strike until it is over, then let everybody go on."""
        due = time.monotonic()
        while not self._pause(0.02):
            self._go_on(time.monotonic())
            if self._rate and time.monotonic() >= due:
                self._strike()
                due = time.monotonic() + self._draw.expovariate(self._rate)
        self._go_on(float("inf"))

    def _go_on(self, now: float) -> None:
        for due, process in list(self._stopped):
            if due <= now:
                self._stopped.remove((due, process))
                process.send(signal.SIGCONT)
                self._place.violence.write("continue", role=process.role, pid=process.pid)

    def _strike(self) -> None:
        _, role, deed = self._draw.choices(self._blows, [blow[0] for blow in self._blows])[0]
        chance, seconds = self._draw.random(), self._draw.uniform(_SHORTEST_STOP, _LONGEST_STOP)
        there = processes(self._place.root)
        if role in ("both", "all"):
            roles = (Role.SUPERVISOR, Role.SERVER) if role == "both" else (Role.SUPERVISOR, Role.SERVER, Role.WORKER)
            for process in (process for process in there if process.role in roles):
                self._hit(process, deed)
            return
        targets = sorted((process for process in there if process.role == role), key=lambda process: process.pid)
        if not targets:
            return
        target = targets[int(chance * len(targets))]
        times = self._draw.randint(1, _BURST) if (role, deed) == (Role.CLIENT, "interrupt") else 1
        for _ in itertools.takewhile(lambda _: self._hit(target, deed), range(times)):
            time.sleep(self._draw.uniform(0.0, _GAP) if times > 1 else 0.0)
        if deed == "stop":
            self._stopped.append((time.monotonic() + seconds, target))

    def _hit(self, process: Process, deed: str) -> bool:
        hit = process.send(_SIGNALS[deed])
        if hit:
            self._place.violence.write(deed, role=process.role, pid=process.pid)
        return hit
