"""JSON that anybody may have written is parsed, or refused with a ValueError, whatever it holds and on every Python."""

import json
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipybgjobs.executors.local.channel import Channel
from ipybgjobs.model import json_text
from ipybgjobs.notebooks import document
from ipybgjobs.store import queries
from ipybgjobs.store.notices import Notices
from ipybgjobs.system.child import JsonChild

#: Deeper than functions of Python can follow: below what the parser of 3.12 and later follows, and above it.
DEPTHS = [json_text.DEEPEST + 1, 990, 5000, 200_000]


def deep(depth, opening="[", closing="]"):
    return opening * depth + "1" + closing * depth


def test_what_is_nested_as_deep_as_may_be_is_read():
    text = deep(json_text.DEEPEST)
    assert json.dumps(json_text.parse(text), separators=(",", ":")) == text
    assert json_text.parse(text.encode()) == json_text.parse(text)
    flat = [[number, {}] for number in range(10_000)]
    assert json_text.parse(json.dumps(flat)) == flat


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("brackets", ["[]", "{}"])
@pytest.mark.parametrize("coding", [str, str.encode, lambda text: text.encode("utf-32")], ids=["text", "utf-8", "utf-32"])
def test_what_is_nested_deeper_is_refused(depth, brackets, coding):
    text = deep(depth) if brackets == "[]" else deep(depth, '{"a":', "}")
    with pytest.raises(ValueError, match=r"nested more than 200 levels deep|can't be parsed"):
        json_text.parse(coding(text))


@given(st.text() | st.binary() | st.text(alphabet='[]{}":,1a', max_size=60))
def test_whatever_the_text_is_it_is_parsed_or_refused(text):
    try:
        value = json_text.parse(text)
    except ValueError:
        return
    assert json.dumps(value) is not None


@pytest.mark.parametrize("depth", DEPTHS)
def test_what_a_child_answers_is_nothing_where_it_is_too_deep(tmp_path, depth):
    said = tmp_path / "said"
    said.write_text('{"a": ' + deep(depth) + "}")
    question = JsonChild(["/bin/sh", "-c", f'cat "{said}" > /dev/fd/$0'], None, 30.0)
    while not question.is_done():
        pass
    assert question.answer() is None


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_notice_that_nobody_of_ours_wrote_is_shown_as_it_is(depth):
    assert Notices.from_text(deep(depth)).lines() == [deep(depth)]


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_notebook_too_deep_to_be_read_has_no_author(tmp_path, depth):
    path = tmp_path / "deep.ipynb"
    path.write_text(deep(depth))
    assert document.author(str(path)) is None


@pytest.mark.parametrize("said", [deep(990), deep(20_000), "no JSON"])
def test_who_says_what_no_fork_server_says_over_the_channel_is_not_there(said):
    ours, theirs = socket.socketpair()
    with theirs:
        channel = Channel(ours)
        theirs.sendall(f'{{"pong": 1}}\n{said}\n'.encode())
        assert channel.receive() == ([], False)
        channel.close()


def test_an_origin_that_can_not_be_read_is_not_known():
    class Rows:
        @staticmethod
        def read(_sql, _values):
            return [(deep(5000),)]

    assert queries.origin(Rows(), 1) is None
