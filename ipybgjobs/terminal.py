"""Text as a terminal would leave it standing: carriage returns and movements are done, colours stay. Pure functions.

The sequences are those of ECMA-48 that progress bars use: CSI A and B (up, down), K (erase in the line), m (colours).
"""

import re

_CONTROLS = re.compile(r"(\r|\n|\b|\x1b\[[0-9;?]*[A-Za-z])")

#: Lines that one sequence moves over at most; no screen has more.
_MOST_ROWS = 500

#: What leads from one line to another.
_ACROSS_LINES = re.compile(r"\x1b\[[0-9;?]*[ABEFHJdf]")

#: What makes a text look different from how it is written.
_MOVING = re.compile(r"[\r\b]|\x1b\[[0-9;?]*[ABCDGHJK]")


def settled(text: str) -> str:
    """Return a text as it stands when all its movements are done: of a progress bar the last state is left."""
    if not _MOVING.search(text):
        return text
    if not _ACROSS_LINES.search(text):  # then each line stands for itself, and most need no look
        return "\n".join(_drawn(line) if _MOVING.search(line) else line for line in text.split("\n"))
    return _drawn(text)


def _drawn(text: str) -> str:
    screen = _Screen()
    for part in _CONTROLS.split(text):
        screen.take(part)
    return str(screen)


class _Screen:
    """Lines of cells, each a character with the colour sequences before it."""

    def __init__(self) -> None:
        self._lines: list[list[str]] = [[]]
        self._row = self._column = 0
        self._colours = ""  # not yet part of a cell

    def take(self, part: str) -> None:
        """Do what a text or a control says."""
        if part == "\n":
            self._move(1)
            self._column = 0
        elif part == "\r":
            self._column = 0
        elif part == "\b":
            self._column = max(0, self._column - 1)
        elif part.startswith("\x1b["):
            self._sequence(part[2:-1], part[-1])
        elif part:
            self._write(part)

    def _sequence(self, argument: str, final: str) -> None:
        if final == "m":
            self._colours += f"\x1b[{argument}m"
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
        self._row = max(0, self._row + rows)
        while self._row >= len(self._lines):
            self._lines.append([])
        if self._colours:  # they end the line that they follow
            self._lines[self._row - 1 if rows > 0 else self._row].append(self._colours)
            self._colours = ""

    def _write(self, text: str) -> None:
        line = self._lines[self._row]
        line += [" "] * (self._column - len(line))
        cells = list(text)
        cells[0] = self._colours + cells[0]
        self._colours = ""
        line[self._column : self._column + len(cells)] = cells
        self._column += len(cells)

    def __str__(self) -> str:
        return "\n".join(map("".join, self._lines)) + self._colours
