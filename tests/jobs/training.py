"""What the examples in docstrings submit."""

import os
import signal
import time

import ipybgjobs


class Trainer:
    def __init__(self, lr: float = 0.1) -> None:
        self.lr = lr

    def fit(self, epochs: int = 3) -> dict[str, float]:
        return {"epochs": epochs, "lr": self.lr}


class Connection:
    """Neither plain nor picklable."""

    def __reduce__(self):
        raise TypeError("a connection can't be sent")

    def __repr__(self):
        return "<connection to localhost>"


def square(x: int) -> int:
    return x * x


def sleep(seconds: float = 300.0) -> None:
    time.sleep(seconds)


def connect() -> Connection:
    return Connection()


def crash() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def square_twice(x: int) -> int:
    """Wait for a job of the same queue, which has only one slot: this job's own."""
    return ipybgjobs.submit("training.square", {"x": x * x}).result()
