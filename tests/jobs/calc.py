"""Small calculations that leave a line for each run."""

import os
import time


class Model:
    def __init__(self, depth: int = 1):
        self.depth = depth

    def fit(self, lr: float = 0.1, data=None):
        print("fitting", flush=True)
        return [self.depth, lr, None if data is None else int(data["x"].sum())]


def add(a: int, b: int = 0):
    return a + b


def fails(lr: float = 0.1, token: str = ""):
    raise ValueError(f"lr {lr}")


def needs(lr: float, data=None, token: str = ""):
    if lr < 1:
        raise ValueError("too small")
    return [lr, None if data is None else len(data), len(token)]


def once(marker: str):
    if not os.path.exists(marker):
        open(marker, "w").close()
        raise RuntimeError("first run")
    return "second run"


def lost_result():
    return (each for each in ())


def nap(seconds: float = 300.0, tag: str = ""):
    print("napping", flush=True)
    time.sleep(seconds)


def writes(size: int):
    print("x" * size)
    return size


def vanishes(number: int = 9):
    block = bytearray(60_000_000)
    block[::4096] = b"1" * len(block[::4096])
    for line in range(15):
        print("line", line, flush=True)
    os.kill(os.getpid(), number)
    time.sleep(300)


def works(seconds: float):
    limit = time.process_time() + seconds
    while time.process_time() < limit:
        pass
