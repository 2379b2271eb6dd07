"""Classes with hooks."""

import asyncio
import os
import signal
import time

HERE = os.path.dirname(__file__)


def note(text):
    with open(f"{HERE}/notes", "a") as file:
        file.write(text + "\n")


class Hooked:
    def __init__(self, tag="t"):
        self.tag = tag

    def run(self, how="well", wait: str = ""):
        print("running", how, flush=True)
        while wait and not os.path.exists(f"{HERE}/{wait}"):
            time.sleep(0.01)
        if how == "badly":
            raise ValueError("as planned")
        if how == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "sleeps":
            time.sleep(300)
        return {"how": how}

    def on_success(self, result):
        note(f"on_success {self.tag} {result} {os.environ.get('FLAVOUR')}")
        print("in the hook", flush=True)

    def on_failure(self, exception):
        note(f"on_failure {type(exception).__name__}: {exception}")


class Slow(Hooked):
    def on_success(self, result):
        note("hook began")
        while not os.path.exists(f"{HERE}/release"):
            time.sleep(0.01)
        note("hook ended")


class Faulty(Hooked):
    def on_success(self, result):
        raise RuntimeError("the hook itself")

    async def on_failure(self, exception):
        await asyncio.sleep(0.01)
        note(f"awaited {exception}")


class NoHooks(Hooked):
    on_success = "a text"
    on_failure = ["a", "list"]


def plain():
    return 1


on_success = on_failure = plain
