"""A refusal in one line, after which nothing is there."""

import contextlib
import re

import pytest

import ipybgjobs as bg


def leftovers(place):
    return list((place.state / "jobs").rglob("*"))


@contextlib.contextmanager
def refused(place, kind, words):
    """What stands inside is refused in one line, and nothing was started or kept for it."""
    with pytest.raises(kind) as caught:
        yield
    message = str(caught.value)
    assert re.search(words, message), message
    assert "\n" not in message
    assert len(message) < 800
    assert bg.jobs() == []
    assert not leftovers(place)
    assert not place.processes()
