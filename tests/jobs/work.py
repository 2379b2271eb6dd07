"""Jobs that most tests use."""

import asyncio
import os
import time


class Trainer:
    def __init__(self, lr: float = 0.1):
        self.lr = lr

    def fit(self, epochs: int = 3, note: str = "") -> dict:
        for epoch in range(epochs):
            print("epoch", epoch, flush=True)
        return {"epochs": epochs, "lr": self.lr}

    def fail(self, message: str = "broken"):
        raise ValueError(message)

    def sleep(self, seconds: float = 300.0):
        print("sleeping", flush=True)
        time.sleep(seconds)
        return seconds

    @classmethod
    def name_of_class(cls):
        return cls.__name__

    @staticmethod
    def add(a: int, b: int):
        return a + b

    async def later(self, value):
        await asyncio.sleep(0.01)
        return value


def echo(value):
    return value


def once_failing(marker: str):
    """Fails until the marker is there, which its first run leaves."""
    if not os.path.exists(marker):
        open(marker, "w").close()
        raise RuntimeError("first run")
    return "second run"
