"""Jobs of which there are many at once."""

import os
import time


def train(lr: float, seed: int = 0, state: str = "new", data=None, label: str = ""):
    if seed == 13:
        raise ValueError(f"seed {seed} with {lr}")
    return {"score": round(lr * seed, 6), "rows": None if data is None else len(data)}


def number(n: int):
    return n


def nap(seconds: float = 300.0):
    print("napping", flush=True)
    time.sleep(seconds)
    return seconds


def waits_for(path: str, n: int = 0):
    print("waiting", flush=True)
    while not os.path.exists(path):
        time.sleep(0.01)
    return n


def fails_at_first(folder: str, n: int):
    marker = f"{folder}/{n}"
    if n % 2 and not os.path.exists(marker):
        open(marker, "w").close()
        raise RuntimeError(f"first run of {n}")
    return n


def opens(n: int, token: str = "", password: str = ""):
    return [n, len(token), len(password)]


def lambda_of(n: int):
    return (lambda: n) if n % 2 else (each for each in ())
