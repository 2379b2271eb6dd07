"""Parts of an attempt's log for a panel, which shows its end first: the lines before those, and pieces of all of it to save.

Lines are counted by the line breaks of the file. What was dropped from a log is a note in it, and counts as that.
"""

from typing import Any

from ..state.text_log import TextLog

#: The largest part that is shown at once, in bytes and in lines; a browser's terminal holds no more lines.
BYTES, LINES = 64 * 1024, 2000

#: Bytes that are read at once to count lines; and in one piece of a log to save: a server drops messages that arrive too fast.
_READ, _PIECE = 1 << 20, 256 * 1024


def lines_before(log: TextLog, offset: int) -> int:
    """Return the number of lines that end before an offset."""
    position, found = 0, 0
    while position < offset:
        content, after = log.piece(position, min(_READ, offset - position))
        found += content.count(b"\n")
        if after <= position:
            break
        position = after
    return found


def end_of(content: bytes, *, cut: bool) -> bytes:
    """Return the last lines of a content, from the beginning of a line; `cut`: it begins in the middle of one."""
    if cut:
        content = content.partition(b"\n")[2] or content
    begin = len(content)
    for _ in range(LINES + 1):
        begin = content.rfind(b"\n", 0, begin)
        if begin < 0:
            return content
    return content[begin + 1 :]


def before(folder: str, line: int) -> dict[str, Any]:
    """Return the lines before a line of a log, as many as are shown at once, and the number of the first of them.

    Parameters
    ----------
    folder : str
        The attempt folder.
    line : int
        Number of a line, from 1.
    """
    log = TextLog(folder)
    offset = _start_of(log, line)
    begin = max(0, offset - BYTES)
    content = end_of(log.read(begin, offset), cut=begin > 0)
    return {"text": content.decode("utf-8", "replace"), "first_line": max(1, line - content.count(b"\n"))}


def _start_of(log: TextLog, line: int) -> int:
    """Return the offset at which a line begins; the end of the log if there is no such line."""
    position, left = 0, line - 1
    while left > 0:
        content, after = log.piece(position, _READ)
        count = content.count(b"\n")
        if count >= left:
            return position + _after_break(content, left)
        if after <= position:
            return position
        position, left = after, left - count
    return position


def _after_break(content: bytes, number: int) -> int:
    """Return the position behind a line break, counted from 1."""
    found = -1
    for _ in range(number):
        found = content.index(b"\n", found + 1)
    return found + 1


def piece(folder: str, offset: int) -> dict[str, Any]:
    """Return the text at an offset of a log, the offset of the next piece, None at the end, and the size of the log."""
    log = TextLog(folder)
    offset = min(offset, log.size)
    content, after = log.piece(offset, _PIECE)
    whole = content.rpartition(b"\n")[0]
    if whole and len(content) == after - offset == _PIECE:  # neither the end nor beside what was dropped
        content, after = content[: len(whole) + 1], offset + len(whole) + 1
    size = log.size
    return {"text": content.decode("utf-8", "replace"), "next": after if offset < after < size else None, "size": size}
