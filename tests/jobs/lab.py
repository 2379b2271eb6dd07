"""Jobs that are given secrets, and tell of them."""

import os
from dataclasses import dataclass
from typing import NamedTuple

import ipybgjobs as bg


@dataclass
class Login:
    user: str
    password: str


class Place(NamedTuple):
    host: str
    password: str


class Custom:
    def __init__(self, user, password):
        self.user, self._password = user, password

    def __repr__(self):
        return f"Custom({self.user}, {self._password})"


def shows(value=None, wait: str = ""):
    from IPython.display import HTML, display

    secret = os.environ["MY_TOKEN"]
    bg.report(1, 2, f"at {secret} with {found(value)}")
    display(HTML(f"<b>{secret}</b> {found(value)}"))
    raise RuntimeError(f"{secret} {value!r} {found(value)}")


def found(value):
    while isinstance(value, (dict, list, tuple, set, frozenset)):
        value = list(value.values() if isinstance(value, dict) else value)[-1]
    return getattr(value, "password", getattr(value, "_password", value))


def typed(numbers: dict[str, int]):
    return numbers


class Refusing:
    @classmethod
    def on_submit(cls, method, params):
        raise ValueError(f"no: {params['config']}")

    def run(self, config):
        return config
