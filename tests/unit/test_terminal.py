"""What a terminal's sequences cost: time linear in the length of the text, whatever it is made of; what stands is in test_outputs."""

# ruff: noqa: E501 - tables are read by the row

import time

import pytest

from ipybgjobs.model import terminal_text

#: Sequences of every kind that `terminal` knows, and such as have no end.
SEQUENCES = {
    "return": "x\r", "backspace": "x\b", "return and newline": "ab\r\n", "up": "x\x1b[A", "up far": "x\x1b[500A", "down": "x\x1b[B",
    "down far": "x\x1b[500B", "erase": "xy\r\x1b[K", "erase to the left": "x\x1b[1K", "erase the line": "x\x1b[2K", "colour": "\x1b[31mx\r",
    "colours alone": "\r\x1b[31m", "colours by line": "\x1b[1m\x1b[0m\r\n", "link": "\x1b]8;;http://x\x07a\r", "title": "\x1b]0;t\x1b\\a\r",
    "string without an end": "a\r\x1b]8;;aaaa", "escape": "\x1b\r", "escape and letter": "\x1bM\r", "character set": "\x1b(B\r",
    "escape and spaces": "\r\x1b  ", "sequence without an end": "\r\x1b[", "number without an end": "\r\x1b[1", "many numbers": "\r\x1b[1;2;3;4;5m",
    "device": "\x1bP1$r\x1b\\\r", "right": "x\x1b[5C", "left": "x\x1b[5D", "column": "x\x1b[5G", "home": "x\x1b[H", "clear": "x\x1b[2J",
    "next line": "x\x1b[E", "line before": "x\x1b[F", "save": "x\x1b7\r\x1b8", "tab": "\t\r", "bell": "\x07\r", "wide": "é€𝄞\r",
    "up and down": "line\n\x1b[Ax\x1b[B\n", "one with many numbers": "\r\x1b[" + "1;" * 30_000, "spaces without an end": "\r\x1b[" + "1" * 30_000 + " " * 30_000,
}  # fmt: skip


SHORT, LONG = 60_000, 240_000


def seconds(text):
    began = time.process_time()
    terminal_text.settled(text)
    return time.process_time() - began


@pytest.mark.crash
@pytest.mark.parametrize("piece", SEQUENCES.values(), ids=SEQUENCES)
def test_text_with_any_sequence_is_settled_in_time_linear_in_its_length(piece):
    short, long = (piece * max(1, length // len(piece)) for length in (SHORT, LONG))
    assert seconds(long) < max(3.0, 3 * LONG / SHORT * seconds(short))  # quadratic: minutes for those that were
