"""Fixtures of what real supervisors run: places with a module of jobs, each allowed."""

import pytest

from support.cleanup import permit
from support.place import ALLOWED
from support.sweep import SWEEP


@pytest.fixture
def runs(tries, tmp_path):
    """A folder with one file for each run of a job."""
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


@pytest.fixture
def runs_alone(tries_alone, tmp_path):
    """The same beside a place of its own."""
    folder = tmp_path / "runs"
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
