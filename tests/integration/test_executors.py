"""The executors that come with the package pass the conformance suite, with real processes."""

import os

import pytest

from ipybgjobs.executors import registry
from ipybgjobs.executors.conformance import ExecutorConformance
from ipybgjobs.executors.launch_request import LaunchKind


@pytest.fixture(autouse=True)
def _nothing_is_left(place):
    """Processes left behind fail the test."""


class TestLocal(ExecutorConformance):
    """Attempts on this machine."""

    def create(self, folder):
        return registry.create("local", folder)

    def break_launches(self, folder):
        os.mkdir(folder.errors)  # a fork server has nowhere to say what goes wrong, and is not started


def test_what_the_store_says_of_a_launch_is_the_value_of_its_kind():
    assert {kind.name: kind.value for kind in LaunchKind} == {"FORK": "fork", "FRESH": "fresh process"}


def test_the_executor_that_runs_attempts_unless_told_otherwise_has_a_name():
    assert registry.names() == (registry.DEFAULT,) == ("local",)


def test_an_executor_that_nobody_knows_is_not_made(place):
    with pytest.raises(KeyError, match="nowhere"):
        registry.create("nowhere", None)
