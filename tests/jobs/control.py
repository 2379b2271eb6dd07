"""Jobs that leave a line for each run in ``ran.NAME`` beside their module, and may be held until ``go.NAME`` is there."""

import fcntl
import os
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(__file__)
CARD_AT_IMPORT = os.environ.get("CARD")
CODE = "import time; time.sleep(300)"
DEAF = "import signal; [signal.signal(n, signal.SIG_IGN) for n in (2, 15)]; print('deaf', flush=True);" + CODE


def mark(name):
    with open(f"{HERE}/ran.{name}", "a") as file:
        file.write(f"{os.getpid()}\n")
    with open(f"{HERE}/ran.{name}") as file:
        return len(file.readlines())


def note(name="note"):
    mark(name)
    return name


def hold(name="hold"):
    mark(name)
    print("holding")
    while not os.path.exists(f"{HERE}/go.{name}"):
        time.sleep(0.01)
    return name


def holds_from_its_second_run(name):
    if mark(name) == 1:
        raise RuntimeError("first run")
    while not os.path.exists(f"{HERE}/go.{name}"):
        time.sleep(0.01)
    return "second run"


def fails_once_held(name):
    """The run of number N holds until ``go.NAME.N`` is there; the first one fails then."""
    number = mark(name)
    while not os.path.exists(f"{HERE}/go.{name}.{number}"):
        time.sleep(0.01)
    if number == 1:
        raise RuntimeError("first run")
    return "second run"


def fails(name="fails", runs: int = 1 << 30):
    if mark(name) <= runs:
        raise ValueError("as planned")
    return "at last"


def dies():
    os.kill(os.getpid(), signal.SIGKILL)


def takes(value=None, other=None):
    hold("takes")


def variables(names):
    return [CARD_AT_IMPORT, *map(os.environ.get, names), os.popen("echo $CARD").read().strip()]


def hash_of_text():
    return hash("text"), sys.flags.hash_randomization, os.environ.get("LD_LIBRARY_PATH")


def alone(name, seconds: float = 0.1):
    """Fails where another of the same name runs at the same time."""
    with open(f"{HERE}/alone.{name}", "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(seconds)
    return name


def alone_in_its_slot():
    return alone(os.environ["CARD"])


def finishes():
    return "finished"


def sleeps():
    print("sleeping")
    time.sleep(300)


def cleans_up(name):
    mark(name)
    try:
        print("working")
        time.sleep(300)
    finally:
        time.sleep(0.05)
        mark(f"{name}.cleaned")


def is_deaf(name="deaf"):
    """Ignores all polite requests; is killed once it may go on."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    print("deaf")
    while not os.path.exists(f"{HERE}/go.{name}"):
        time.sleep(0.01)
    dies()


def has_a_family():
    child = subprocess.Popen([sys.executable, "-c", CODE])
    orphan = subprocess.run(["sh", "-c", "setsid sleep 300 >&2 & echo $!"], stdout=subprocess.PIPE, text=True)
    deaf = subprocess.Popen([sys.executable, "-c", DEAF], start_new_session=True, stdout=subprocess.PIPE)
    deaf.stdout.readline()
    print(child.pid, int(orphan.stdout), deaf.pid)
    time.sleep(300)


def family_once():
    """The second run says who is left of the first."""
    if mark("family") == 1:
        deaf = subprocess.Popen([sys.executable, "-c", DEAF], start_new_session=True, stdout=subprocess.PIPE)
        deaf.stdout.readline()
        with open(f"{HERE}/first", "w") as file:
            file.write(f"{os.getpid()} {deaf.pid}")
        time.sleep(300)
    with open(f"{HERE}/first") as file:
        return [pid for pid in file.read().split() if lives(pid)]


def lives(pid):
    """Whether a process is there, and not only still to be waited for."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def leaves_one(*, finish: bool):
    """Has a child in a session of its own; may finish in spite of the interrupt."""
    child = subprocess.Popen([sys.executable, "-c", DEAF], start_new_session=True, stdout=subprocess.PIPE)
    child.stdout.readline()
    with open(f"{HERE}/left", "w") as file:
        file.write(str(child.pid))
    print("ready")
    try:
        time.sleep(300)
    except KeyboardInterrupt:
        if not finish:
            raise
    return "finished"
