"""A job that holds until a file is there."""

import os
import time


def hold(path):
    while not os.path.exists(path):
        time.sleep(0.02)
