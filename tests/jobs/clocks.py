"""A job that shows that it lives, and one that holds until it is interrupted."""

import os
import time


class Clock:
    def tick(self, enough: str):
        """Ticks until there is a file of that name."""
        print(os.getpid(), flush=True)
        while not os.path.exists(enough):
            print("tick", flush=True)
            time.sleep(0.02)
        return os.getpid()


def hold(path):
    try:
        print("holding", flush=True)
        time.sleep(600)
    except KeyboardInterrupt:
        print("interrupted")
        raise
    finally:
        open(path, "w").close()
