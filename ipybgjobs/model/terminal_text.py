"""Render text as a terminal would: apply carriage returns, backspaces and movements, and keep colours. Pure functions.

The sequences are those of ECMA-48 that progress bars use: CSI A and B (up, down), K (erase in the line), m (colours). The
result takes no more room than its text and a constant, whatever the movements, so the text need not be trusted.
"""

import re
from collections.abc import Iterator

#: Characters and sequences that are not text: a control sequence, a string (such as a link), a shorter escape, a lone escape.
_CONTROLS = re.compile(r"[\r\n\x08]|\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x00-\x1f]*(?:\x07|\x1b\\)|\x1b[ -/]+[0-~]|\x1b")

#: Lines that all movements down may add to those of the text; no screen has more.
_MOST_ROWS = 500

#: Most spaces that may be added in total, before text that is written beyond the end of a line.
_MOST_SPACES = 100_000

#: Sequences that move from one line to another.
_ACROSS_LINES = re.compile(r"\x1b\[[0-9;?]*[ABEFHJdf]")

#: Sequences that make a text look different from how it is written.
_MOVING = re.compile(r"[\r\x08]|\x1b\[[0-9;?]*[ABCDGHJK]")


def settled(text: str) -> str:
    """Return a text after all its movements: of a progress bar, only the last state is left."""
    if not _MOVING.search(text):
        return text
    if not _ACROSS_LINES.search(text):  # then lines are independent, and most need no work
        return "\n".join(_drawn(line) if _MOVING.search(line) else line for line in text.split("\n"))
    return _drawn(text)


def _drawn(text: str) -> str:
    screen = _Screen(most_rows=text.count("\n") + _MOST_ROWS)
    for part in _parts(text):
        screen.take(part)
    return str(screen)


def _parts(text: str) -> Iterator[str]:
    """Yield text and controls, in order."""
    position = 0
    for control in _CONTROLS.finditer(text):
        if control.start() > position:
            yield text[position : control.start()]
        yield control[0]
        position = control.end()
    if position < len(text):
        yield text[position:]


class _Screen:
    """Lines of cells, each a character with the colour sequences before it.

    Parameters
    ----------
    most_rows : int
        Maximum number of lines.
    """

    def __init__(self, most_rows: int) -> None:
        self._lines: list[list[str]] = [[]]
        self._row = self._column = 0
        self._colours: list[str] = []  # not yet part of a cell
        self._most_rows = most_rows
        self._spaces = _MOST_SPACES

    def take(self, part: str) -> None:
        """Apply a text or a control."""
        if part == "\n":
            self._move(1)
            self._column = 0
        elif part == "\r":
            self._column = 0
        elif part == "\b":
            self._column = max(0, self._column - 1)
        elif part.startswith("\x1b["):
            self._sequence(part[2:-1], part[-1])
        elif part[0] != "\x1b":
            self._write(part)
        elif len(part) > 1:
            self._colours.append(part)  # takes no room either; a lone escape must not combine with what follows

    def _sequence(self, argument: str, final: str) -> None:
        if final == "m":
            self._colours.append(f"\x1b[{argument}m")
        elif final in "AB":
            steps = min(int(argument[:4]), _MOST_ROWS) if argument[:4].isdigit() else 1
            self._move(-steps if final == "A" else steps)
        elif final == "K":
            line = self._lines[self._row]
            if argument == "2":
                line.clear()
            elif argument in ("", "0"):
                del line[self._column :]

    def _move(self, rows: int) -> None:
        before, self._row = self._row, min(max(0, self._row + rows), self._most_rows - 1)
        while self._row >= len(self._lines):
            self._lines.append([])
        if self._colours:  # they end the line that they follow
            self._lines[before].append(self._taken_colours())

    def _write(self, text: str) -> None:
        line = self._lines[self._row]
        spaces = min(max(0, self._column - len(line)), self._spaces)
        self._spaces -= spaces
        line += [" "] * spaces
        column = min(self._column, len(line))
        cells = list(text)
        cells[0] = self._taken_colours() + cells[0]
        line[column : column + len(cells)] = cells
        self._column = column + len(cells)

    def _taken_colours(self) -> str:
        taken = "".join(self._colours)
        self._colours.clear()
        return taken

    def __str__(self) -> str:
        return "\n".join(map("".join, self._lines)) + "".join(self._colours)
