"""The order of a run: clients and violence, then peace, then whatever is left must end by itself, then the verdict.

The deadline of the peace is one of progress: as long as anything changes, it waits on.
"""

import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from . import rows, verdict
from .client import TROUBLED
from .evidence import Evidence
from .figures import Figures
from .place import Place
from .processes import Process, processes
from .violence import Strength, Violence
from .watch import Watch

#: Seconds without any change after which what is left is stuck.
PATIENCE = 75.0

#: Seconds that supervisors and fork servers are given to end once nothing is left to do.
_IDLE = 30.0

#: How many clients there are.
_CLIENTS = 3


@dataclass(frozen=True)
class Result:
    """What came of a run."""

    violations: list[verdict.Violation]
    figures: Figures


class Run:
    """One run.

    Parameters
    ----------
    root : Path
        Its folder, which exists and is empty.
    jobs : int
        How many are to be submitted.
    seed : int
        Of every choice.
    strength : Strength
        Of the violence.
    limit : float
        Seconds after which the clients submit no more.
    """

    def __init__(self, root: Path, jobs: int, seed: int, strength: Strength, limit: float) -> None:
        self._place = Place(root)
        self._quota = -(-jobs // _CLIENTS)
        self._seed = seed
        self._strength = strength
        self._limit = limit
        self._clients: dict[int, subprocess.Popen[bytes]] = {}
        self._peace = threading.Event()
        self._watch = Watch(self._place)
        self._began = time.monotonic()

    def go(self) -> Result:
        """Run, and say what came of it; nothing is left running."""
        environment = self._place.prepare()
        try:
            self._war(environment)
            self._settle(environment)
            minutes = (time.monotonic() - self._began) / 60
            left = self._wait_for_idle()
            evidence = Evidence.gather(self._place, left, self._watch.watched)
            violations = verdict.judge(evidence)
            return Result(violations, Figures.of(evidence, minutes))
        finally:
            self._peace.set()
            self._end_everything()
            shutil.rmtree(environment["JUPYTER_RUNTIME_DIR"], ignore_errors=True)

    # -- while it rages -------------------------------------------------------------------------------------------

    def _war(self, environment: dict[str, str]) -> None:
        violence = Violence(self._place, self._seed, self._strength, self._peace.wait)
        threads = [threading.Thread(target=violence.rage), threading.Thread(target=self._watch.look_on)]
        for number in range(_CLIENTS):
            self._start(number, environment)
        for thread in threads:
            thread.start()
        told = time.monotonic()
        while self._clients and time.monotonic() < self._began + self._limit:
            time.sleep(0.05)
            for number, client in list(self._clients.items()):
                if client.poll() is not None:
                    self._follow(number, client, environment)
            if time.monotonic() >= told + 10:
                told = time.monotonic()
                self._say("submitting")
        self._peace.set()
        self._watch.finish()
        for thread in threads:
            thread.join()
        for client in self._clients.values():
            client.kill()
            client.wait()

    def _start(self, number: int, environment: dict[str, str]) -> None:
        """Start a client, or its next life; it is interrupted only once it lets that through."""
        command = self._place.command("client", number, self._quota, self._seed)
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with self._place.errors(number).open("ab") as errors:
                self._clients[number] = subprocess.Popen(
                    command, env=environment, cwd=self._place.root, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors
                )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _follow(self, number: int, client: "subprocess.Popen[bytes]", environment: dict[str, str]) -> None:
        """A client is gone: it has finished, or lives again."""
        del self._clients[number]
        if any(event["what"] == "finished" for event in self._place.client(number).read()[-1:]):
            return
        if client.returncode not in (-signal.SIGKILL, TROUBLED):
            self._place.client(number).write("trouble", verb="live", token="", said=f"it ended with {client.returncode}")
        self._start(number, environment)

    def _say(self, stage: str) -> None:
        pulse = rows.pulse(self._place.database)
        seconds = time.monotonic() - self._began
        if pulse is not None:
            rate = (pulse.jobs - pulse.live) / seconds
            print(f"{seconds:6.0f} s  {stage}: {pulse.jobs:,} jobs, {pulse.live:,} live, {rate:.1f} ended a second", flush=True)

    # -- peace ----------------------------------------------------------------------------------------------------

    def _settle(self, environment: dict[str, str]) -> None:
        """A fresh client looks at the store; then everything has to end, and what does not is left to the verdict."""
        look = "import ipybgjobs as bg; bg.resume(); bg.jobs()"
        looked = subprocess.run(
            [sys.executable, "-c", look], check=False, env=environment, cwd=self._place.root, capture_output=True, text=True
        )
        if looked.returncode:
            self._place.client(0).write("trouble", verb="fresh look", token="", said=looked.stderr)
        seen, told, since = None, time.monotonic(), time.monotonic()
        while True:
            pulse = rows.pulse(self._place.database)
            if pulse is not None and not pulse.live:
                return
            if pulse != seen:
                seen, since = pulse, time.monotonic()
            if time.monotonic() > since + PATIENCE:
                return
            if time.monotonic() >= told + 10:
                told = time.monotonic()
                self._say("settling")
            time.sleep(0.1)

    def _wait_for_idle(self) -> list[Process]:
        """Return the processes that are still there when all have had time to end."""
        limit = time.monotonic() + _IDLE
        # Twice, since one that ends while it starts another may fall between two looks.
        while (left := processes(self._place.root) or processes(self._place.root)) and time.monotonic() < limit:
            time.sleep(0.1)
        return left

    def _end_everything(self) -> None:
        for client in self._clients.values():
            client.kill()
            client.wait()
        limit = time.monotonic() + _IDLE
        while (left := processes(self._place.root)) and time.monotonic() < limit:
            for process in left:
                process.send(signal.SIGKILL)
            time.sleep(0.02)
