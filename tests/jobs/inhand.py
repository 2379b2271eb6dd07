"""What users have in hand when they submit: functions and methods of every kind."""

import contextlib
import functools
import threading


def logged(function):
    @functools.wraps(function)
    def call(*values, **named):
        return ["logged", function(*values, **named)]

    return call


def plain(x: int = 1):
    return x


@logged
def decorated(x: int = 1):
    return x


@functools.lru_cache
def cached(x: int = 1):
    return x


async def later(x: int = 1):
    return x


other_name = logged(plain)

square = lambda x: x * x  # noqa: E731 - what is refused

half = functools.partial(plain, x=2)


def make():
    def inner(x: int = 1):
        return x

    return inner


class Base:
    def __init__(self, lr: float = 0.1):
        self.lr = lr

    def fit(self, epochs: int = 3):
        return [type(self).__name__, self.lr, epochs]

    def alone(self):
        return type(self).__name__

    @classmethod
    def best(cls, x: int = 1):
        return [cls.__name__, x]

    @staticmethod
    def add(a: int, b: int = 2):
        return a + b

    @logged
    def traced(self, x: int = 1):
        return [self.lr, x]


class Child(Base):
    def alone(self):
        return "Child alone"


class Required:
    """Its constructor needs a value."""

    def __init__(self, lr: float):
        self.lr = lr

    def fit(self, epochs: int = 3):
        self.lr *= 2
        return [self.lr, epochs]

    def on_success(self, result):
        print("hook", self.lr, result)


class Locked:
    def __init__(self):
        self.guard = threading.Lock()

    def fit(self):
        return 1


class Callable:
    def __call__(self, x):
        return x

    def fit(self):
        return 1


class Secretive:
    def __init__(self, password):
        self.password = password

    def fit(self):
        print("it is", self.password)


@contextlib.contextmanager
def outer(x: int = 1):
    yield x
