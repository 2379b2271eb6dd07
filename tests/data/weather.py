"""Jobs of the stored state folders: run there by an older version, and here by this one."""

from dataclasses import dataclass


@dataclass
class Reading:
    """A result that only a pickle can hold."""

    city: str
    celsius: float


class NoSignal(Exception):  # noqa: N818 - a job may name its own as it likes
    """An exception of the jobs' own."""


def echo(value):
    return value


def measure(city, celsius):
    print("measured", city, flush=True)
    return Reading(city, celsius)


def warmest(readings, above):
    """Return the cities that are warmer than `above`; readings are shared by a group."""
    return sorted(each.city for each in readings if each.celsius > above)


def receive(station):
    print("calling", station, flush=True)
    raise NoSignal(station)


def refuse():
    from ipybgjobs import Fail

    raise Fail("no weather today")


def draw():
    from IPython.display import HTML, display

    print("before", flush=True)
    display(HTML("<b>sunny</b>"))
    print("after", flush=True)
