"""A job that fails once a file is there."""

import time
from pathlib import Path


def fails_late():
    while not (Path(__file__).parent / "go").exists():
        time.sleep(0.02)
    raise OSError("late")
