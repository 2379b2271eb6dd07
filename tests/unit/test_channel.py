"""Messages between supervisor and fork server arrive whole, whatever pieces the socket makes of them."""

import contextlib
import json
import socket

import pytest

from ipybgjobs.executors.local.channel import Channel


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    with contextlib.closing(Channel(ours)) as channel, theirs:
        yield channel, theirs


CONTENT = b'{"a line":\n"\xff"}\n{"ping": 1}\n'


def test_a_message_brings_its_content_as_it_is(ends):
    channel, theirs = ends
    theirs.sendall(b'{"launch": 1, "content": %d}\n%b{"ping": 2}\n' % (len(CONTENT), CONTENT))
    assert channel.receive() == ([{"launch": 1, "content": CONTENT}, {"ping": 2}], True)


def test_a_message_in_pieces_is_no_message_until_the_last_one(ends):
    channel, theirs = ends
    found = []
    for byte in b'{"launch": 1, "content": %d}\n%b{"ping": 2}\n' % (len(CONTENT), CONTENT):
        theirs.sendall(bytes([byte]))
        messages, there = channel.receive()
        assert there
        found += messages
    assert found == [{"launch": 1, "content": CONTENT}, {"ping": 2}]


def test_a_message_cut_short_by_the_end_of_its_sender_is_none(ends):
    channel, theirs = ends
    theirs.sendall(b'{"ping": 1}\n{"launch": 1, "content": 9}\nabc')
    theirs.shutdown(socket.SHUT_WR)
    assert channel.receive() == ([{"ping": 1}], False)


def test_what_is_sent_names_the_length_of_its_content(ends):
    channel, theirs = ends
    channel.send({"launch": 1}, CONTENT)
    line, _, rest = theirs.recv(1 << 16).partition(b"\n")
    assert (json.loads(line), rest) == ({"launch": 1, "content": len(CONTENT)}, CONTENT)
