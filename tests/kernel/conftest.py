"""Fixtures of what runs in a kernel: kernels, a server, a job that shows that it lives, notebooks that may run."""

import pytest

from support.kernels import Kernel, Server
from support.notebooks import allow
from support.place import until


@pytest.fixture
def kernels(place):
    """Starts kernels; those that are left are ended."""
    started = []

    def start():
        started.append(Kernel(place.environment, place.code))
        return started[-1]

    yield start
    for kernel in started:
        kernel.close()


@pytest.fixture
def clocks(place):
    place.module("clocks")
    place.allow({"clocks.Clock": ["tick"], "clocks": ["hold"]}, BackgroundJobs__queues={"default": 10})
    yield place
    (place.code / "enough").touch()  # a test that fails leaves no job behind


@pytest.fixture
def server(place):
    made = Server(place)
    try:
        until(made.is_ready, "the server's start")
        yield made
    finally:
        made.close()


@pytest.fixture
def desk(place):
    """A place where every notebook below it may run."""
    allow(place)
    return place
