"""Jobs that tell what they find around them."""

import os
import sys
import time


def look():
    mask = os.umask(0)
    os.umask(mask)
    return {
        "cwd": os.getcwd(),
        "path": sys.path,
        "umask": mask,
        "prefix": sys.prefix,
        "hash": hash("text"),
        "variables": {name: os.environ.get(name) for name in ("MINE", "GONE", "LANG")},
        "bytes": os.environb.get(b"ODD"),
    }


def fetches():
    import helper

    return helper.VALUE


class Login:
    def __init__(self, api_key=None):
        self.api_key = api_key

    def fails(self, password=None, config=None):
        raise RuntimeError(f"{self.api_key} {password} {config} {os.environ['API_TOKEN']}")

    def waits(self, password=None):
        print("waiting")
        time.sleep(300)


def numbers(pin: int = 0, password: int = 0):
    return [pin, password]


def returns(value):
    return [value, {1}]
