"""Jobs that leave processes in sessions of their own, with nothing that leads back to the job but its mark."""

import os
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).parent
APART = {"start_new_session": True, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def started():
    return subprocess.Popen(["sleep", "600"], **APART).pid


def bare():
    return subprocess.Popen(["/bin/sleep", "600"], env={}, close_fds=True, **APART).pid


def forked():
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    time.sleep(600)
    os._exit(0)


def leave(name: str = "pids", wait: bool = False, fail: bool = False):
    (HERE / f"{name}.part").write_text(f"{started()} {bare()} {forked()}")
    (HERE / f"{name}.part").rename(HERE / name)
    while wait and not (HERE / "release").exists():
        time.sleep(0.02)
    if fail:
        raise ValueError("as planned")


def hold(name: str = "held"):
    with open(HERE / f"ran.{name}", "a") as file:
        file.write("once\n")
    while not (HERE / "release").exists():
        time.sleep(0.02)
    return name


def shell(script: str, fail: bool = False):
    pid = subprocess.Popen(["sh", "-c", script], **APART).pid
    while not (HERE / "ready").exists():
        time.sleep(0.02)
    if fail:
        raise ValueError("as planned")
    return pid


def outer(state: str):
    """Submits to another store, or to this one, and waits to be ended."""
    import ipybgjobs

    os.environ["IPYBGJOBS_STATE_DIR"] = state
    (HERE / "waits").touch()
    while not (HERE / "go").exists():
        time.sleep(0.02)
    ipybgjobs.submit("leaves.hold", {"name": "inner"})
    return hold("outer")
