"""Jobs whose worker ends, or is ended, while it does something other than the method."""

import os
import signal
import sys
import time

HERE = os.path.dirname(__file__)
if os.path.exists(f"{HERE}/at_import") and "ipybgjobs.worker.run" in sys.modules:  # in a worker alone
    exec(open(f"{HERE}/at_import").read())


def busy():
    print("at", os.getpid(), flush=True)
    time.sleep(300)


def takes(value):
    return "taken"


class Exits:
    """Ends the process that pickles it, or loads it."""

    def __init__(self, when):
        self.when = when

    def __reduce__(self):
        return (sys.exit, (0,)) if self.when == "loading" else sys.exit(0)


class Job:
    @classmethod
    def on_submit(cls, method, params):
        if params.get("do") == "exits at submit":
            sys.exit(0)
        return params

    def __init__(self, do="nothing"):
        if do == "sleeps":
            busy()

    def run(self, do: str = "nothing", value=None):
        if do == "sleeps":
            busy()
        if do == "is ended as it writes its outcome":
            os.replace = self.ended(os.replace)
        return Exits("pickling") if do == "can't be pickled" else do

    @staticmethod
    def ended(replace):
        def replaced(source, target):
            if str(target).endswith("outcome.json"):
                os.kill(os.getpid(), signal.SIGTERM)
                os.kill(os.getpid(), signal.SIGINT)
            replace(source, target)

        return replaced
