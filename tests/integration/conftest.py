"""Fixtures of what real supervisors run: places with a module of jobs, each allowed."""

import pytest

from support.attempts import TRIES
from support.cleanup import permit
from support.control import Control
from support.place import ALLOWED
from support.sweep import SWEEP


@pytest.fixture
def control(place):
    place.module("control")
    made = Control(place)
    made.configure()
    return made


@pytest.fixture
def tries(place):
    place.module("tries")
    place.allow({"tries": TRIES}, BackgroundJobs__idle_seconds=0.1)
    return place


@pytest.fixture
def runs(tries):
    """A folder with one file for each run of a job."""
    folder = tries.root / "runs"
    folder.mkdir()
    return folder


@pytest.fixture
def calc(place):
    place.module("calc")
    permit(place)
    return place


@pytest.fixture
def sweep(place):
    """A place with a module for sweeps, and slots for eight."""
    place.module("sweep")
    place.allow(ALLOWED | {"sweep": SWEEP}, BackgroundJobs__queues={"default": 8, "one": 1}, BackgroundJobs__idle_seconds=0.1)
    return place


SHAPES_ALLOWED = {
    "shapes": ["positional", "anything", "typed", "file", "total", "kinds", "generate", "absent"],
    "shapes.Model": ["describe", "made", "colour", "summary", "absent"],
    "shapes.Model.Part": ["weigh"],
    "shapes.Child": ["inherited"],
    "shapes.Abstract": ["run"],
}


@pytest.fixture
def shapes(place):
    place.module("shapes")
    place.allow(SHAPES_ALLOWED, BackgroundJobs__idle_seconds=0.1)
    return place
