"""Jobs that wait at a gate until a file is there."""

import os
import signal
import time

HERE = os.path.dirname(__file__)


def note(text):
    with open(f"{HERE}/notes", "a") as file:
        file.write(text + "\n")


def gate(name: str, fail: bool = False):
    """Begins, waits until its gate is opened, ends."""
    note(f"{name} began")
    print("waiting", flush=True)
    try:
        while not os.path.exists(f"{HERE}/{name}"):
            time.sleep(0.01)
    finally:
        note(f"{name} ended")
    if fail and os.path.exists(f"{HERE}/{name}"):
        os.unlink(f"{HERE}/{name}")
        raise RuntimeError("as planned")
    return name


def stubborn():
    """Listens to no polite signal until its gate is opened."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    note("stubborn began")
    print("waiting", flush=True)
    while not os.path.exists(f"{HERE}/stubborn"):
        time.sleep(0.01)
    note("stubborn ended")


def quick(value=0):
    note(f"quick {value}")
    return value


class Told:
    def run(self):
        raise RuntimeError("as planned")

    def on_failure(self, exception):
        note(f"told {exception}")
        while os.path.exists(f"{HERE}/hold"):
            time.sleep(0.01)
