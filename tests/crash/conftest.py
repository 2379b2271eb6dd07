"""Fixtures of what is killed: a place with the module `joints` allowed."""

from collections.abc import Iterator

import pytest

from support.joints import prepare, release
from support.place import Place


@pytest.fixture
def joints(place: Place) -> Iterator[Place]:
    """Whatever becomes of the test, the jobs that it holds are let go, so that they end."""
    yield prepare(place)
    release(place)
