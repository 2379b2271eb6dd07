"""Jobs that tell in which namespace they run."""

import os
import time

HERE = os.path.dirname(__file__)


def hold(name="first"):
    with open(f"{HERE}/ran.{name}", "a") as file:
        file.write("once\n")
    while not os.path.exists(f"{HERE}/release"):
        time.sleep(0.02)
    return os.readlink("/proc/self/ns/pid")


def namespace():
    return os.readlink("/proc/self/ns/pid")
