"""Jobs that fail, wait, clean up and hold out, to be retried, timed out and cancelled."""

import asyncio
import builtins
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import ipybgjobs as bg


class Flaky(OSError):
    pass


def fails_as(error: str):
    raise Flaky("flaky") if error == "Flaky" else getattr(builtins, error)("on purpose")


def asks_a_user():
    return input("Sure? ")


def opens(path: str):
    return open(path).read()


def vanishes():
    os.kill(os.getpid(), signal.SIGKILL)


def works_on_run(folder, run: int, error: str = "RuntimeError"):
    """Leaves a file a run, and raises before that run."""
    made = len(os.listdir(folder)) + 1
    open(f"{folder}/{made}", "w").close()
    if made < run:
        raise (Flaky if error == "Flaky" else getattr(builtins, error))(f"run {made}")
    return made


def asks_again(folder, after=None):
    made = len(os.listdir(folder)) + 1
    open(f"{folder}/{made}", "w").close()
    if made == 1:
        raise bg.Retry("not there yet", after=after)
    return made


def gives_up():
    raise bg.Fail("no use")


def sleeps(seconds: float = 300.0):
    print("sleeping")
    time.sleep(seconds)


def sleeps_on_its_first_run(folder):
    open(f"{folder}/{len(os.listdir(folder)) + 1}", "w").close()
    if len(os.listdir(folder)) == 1:
        sleeps()
    return "rested"


def cleans_up(path):
    try:
        sleeps()
    finally:
        time.sleep(0.1)
        open(path, "w").close()


def finishes_when_interrupted():
    with contextlib.suppress(KeyboardInterrupt):
        sleeps()
    return "finished"


async def later_finishes_when_interrupted():
    try:
        print("sleeping", flush=True)
        await asyncio.sleep(300)
    except asyncio.CancelledError:
        return "finished"


def has_a_handler_of_its_own():
    asked = []
    signal.signal(signal.SIGINT, lambda *_: asked.append(True))
    print("sleeping", flush=True)
    while not asked:
        time.sleep(0.01)
    return "finished"


def leaves_when_interrupted():
    with contextlib.suppress(KeyboardInterrupt):
        sleeps()
    sys.exit(0)


def leaves_a_thread():
    threading.Thread(target=time.sleep, args=(300,)).start()
    print("leaving", flush=True)
    return "complete"


def interrupts_itself():
    with contextlib.suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
        time.sleep(60)
    return "finished"


def has_a_family():
    code = "import time; time.sleep(300)"
    child = subprocess.Popen([sys.executable, "-c", code])
    leader = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    orphan = subprocess.run(["sh", "-c", "setsid sleep 300 >&2 & echo $!"], stdout=subprocess.PIPE, text=True)
    deaf = "import signal; [signal.signal(n, signal.SIG_IGN) for n in (2, 15)]; print('deaf', flush=True);" + code
    stubborn = subprocess.Popen([sys.executable, "-c", deaf], start_new_session=True, stdout=subprocess.PIPE)
    stubborn.stdout.readline()
    print(child.pid, leader.pid, int(orphan.stdout), stubborn.pid)
    time.sleep(300)


def is_deaf():
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    print("deaf")
    while True:
        time.sleep(1)


def counts_those_beside_it(folder):
    mine = f"{folder}/{os.getpid()}"
    open(mine, "w").close()
    time.sleep(0.15)
    beside = len(os.listdir(folder))
    os.unlink(mine)
    return beside
