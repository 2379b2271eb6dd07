"""Fixtures of what is killed: a place with the module `joints` allowed."""

import pytest

from support.joints import prepare
from support.place import Place


@pytest.fixture
def joints(place: Place) -> Place:
    return prepare(place)
