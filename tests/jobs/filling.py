"""A job that fills its own disk."""

import contextlib
import os
import time

import ipybgjobs as bg


def fill():
    path = f"{bg.current_job().folder}/filler"
    print("began", flush=True)
    with contextlib.suppress(OSError), open(path, "wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    print("full", flush=True)
    try:
        time.sleep(300)
    except KeyboardInterrupt:
        os.unlink(path)
        return "finished"
