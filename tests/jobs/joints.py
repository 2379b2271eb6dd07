"""Jobs that leave a trace of each run, beside the module."""

import os
import signal
import subprocess
import time

HERE = os.path.dirname(__file__)


def line(name):
    with open(f"{HERE}/{name}", "a") as file:
        file.write(f"{os.getpid()}\n")


line("imported")


def note(name):
    line(f"ran.{name}")
    return name


def brief(name, seconds: float):
    line(f"ran.{name}")
    time.sleep(seconds)
    return name


def hold(name):
    line(f"ran.{name}")
    print("holding", flush=True)
    while not os.path.exists(f"{HERE}/release"):
        time.sleep(0.01)
    return name


def fails():
    raise RuntimeError("as planned")


def stubborn():
    """Ignores the polite signals; so does what it left behind in a session of its own."""
    script = "trap '' INT TERM; setsid sleep 600 >/dev/null 2>&1 & echo $! > $0"
    subprocess.run(["sh", "-c", script, f"{HERE}/grandchild"], check=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("stubborn", flush=True)
    while True:
        time.sleep(0.1)


def die_at_outcome(boundary):
    """Ends its process right before or after its outcome gets its name."""
    replace = os.replace

    def deadly(source, target):
        if str(target).endswith("outcome.json"):
            if boundary == "after":
                replace(source, target)
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    os.replace = deadly
    return boundary


class Slow:
    def __reduce__(self):
        line("pickling")
        time.sleep(600)


def slow_result():
    print("returning", flush=True)
    return Slow()
