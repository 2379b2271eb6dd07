"""A module of which it is recorded what ran."""

import os


def work(fail: bool = False, mark: str = ""):
    """Version 1."""
    if mark and not os.path.exists(mark):
        open(mark, "w").close()
        raise RuntimeError("first run")
    if fail:
        raise ValueError("broken")
    return 1


def dies():
    os.kill(os.getpid(), 9)
