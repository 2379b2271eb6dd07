"""Targets of every shape that a submit may name."""

import abc
import pathlib
from typing import Literal


class Base:
    def inherited(self, n: int):
        return [type(self).__name__, n]


class Child(Base):
    pass


class Model:
    colour = "red"

    def __init__(self, size: int, *, label: str = "m"):
        self.size, self.label = size, label

    def describe(self):
        return f"{self.label}{self.size}"

    @property
    def summary(self):
        return "summary"

    @classmethod
    async def made(cls, n):
        return [cls.__name__, n]

    class Part:
        def weigh(self):
            return "light"


class Abstract(abc.ABC):
    @abc.abstractmethod
    def run(self): ...


def positional(a, b=2, c=3, /, d=4):
    return [a, b, c, d]


def anything(first, **rest):
    return [first, rest]


def typed(n: int = 0, mode: Literal["fast", "slow"] = "fast", pin: int = 0):
    return [n, mode]


def file(path: pathlib.Path):
    return [type(path).__mro__[1].__name__, str(path)]


def total(table, array):
    return [type(table).__name__, float(table["x"].sum()), array.tolist()]


def kinds(values):
    return [type(value).__name__ for value in values]


def generate(marker):
    open(marker, "w").close()
    yield 1
