"""Jobs that write what nobody expects into their attempt's folder."""

import os
import shutil
import time

import ipybgjobs as bg


def writes(name, content, seconds=300.0):
    """Puts something in the place of a file of its own attempt."""
    path = f"{bg.current_job().folder}/{name}"
    if os.path.exists(path):
        os.unlink(path)
    if content == "gone":
        pass
    elif content == "no folder":
        shutil.rmtree(bg.current_job().folder)
    elif content == "a pipe":
        os.mkfifo(path)
    elif content == "a folder":
        os.mkdir(path)
    elif content == "ten gigabytes":
        open(path, "w").close()
        os.truncate(path, 10 << 30)
    else:
        with open(path, "w") as file:
            file.write(content)
    print("written", "." * 200_000, flush=True)
    time.sleep(seconds)
    return "returned"


def dies_unmarked(name, content, go=None):
    """Leaves a line for each run, spoils its start marker, and ends without an outcome."""
    with open(f"{os.path.dirname(__file__)}/runs", "a") as file:
        file.write(f"{os.getpid()}\n")
    writes(name, content, 0.0)
    while go is not None and not os.path.exists(go):
        time.sleep(0.01)
    os._exit(3)


def adds(a: int, b: int):
    return a + b


def raises(size):
    raise ValueError("x" * size)


def raises_with_a_secret(length, password):
    raise ValueError("x" * length + password + "y" * 1_000_000)


def writes_later(path, name, content):
    print("waiting", flush=True)
    while not os.path.exists(path):
        time.sleep(0.01)
    return writes(name, content)


def waits(path):
    while not os.path.exists(path):
        time.sleep(0.01)
    return "released"
