"""Jobs of the module `joints`, which leave a trace of each run; how they are allowed, counted and let go."""

import ipybgjobs as bg

from .place import Place, until

METHODS = ["note", "brief", "hold", "fails", "stubborn", "die_at_outcome", "slow_result"]


def prepare(place: Place) -> Place:
    place.module("joints")
    allow(place)
    return place


def allow(place: Place, methods: list[str] | None = None, **settings: object) -> None:
    chosen = {"BackgroundJobs__idle_seconds": 0.2, **settings}
    place.allow({"joints": METHODS if methods is None else methods}, **chosen)


def ran(place: Place, name: str) -> int:
    """How often a job's method has begun."""
    path = place.code / f"ran.{name}"
    return len(path.read_text().splitlines()) if path.exists() else 0


def release(place: Place) -> None:
    (place.code / "release").touch()


def held(place: Place, name: str = "held", **options: object) -> bg.Job:
    """A job that runs until it is released."""
    job = bg.submit("joints.hold", {"name": name}, **options)
    until(lambda: ran(place, name), f"the run of {name}")
    return job
