"""A job that waits at a gate, for what a panel is sent of it."""

import os
import time

import ipybgjobs as bg


def gate(path: str):
    bg.report(1, 4, "half way to the half")
    print("waits", flush=True)
    while not os.path.exists(path):
        time.sleep(0.02)
    return 1
