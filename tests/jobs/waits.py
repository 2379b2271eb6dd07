"""A job that ends once a file is there."""

import os
import time


def until_there(path: str, most: float = 60.0):
    limit = time.monotonic() + most
    while not os.path.exists(path) and time.monotonic() < limit:
        time.sleep(0.02)
    return "came"


def login(password: str):
    raise ValueError(f"refused for {password}")
