"""Keep a notebook's outputs within a limit: drop the middle of the largest, with a note of how much was dropped.

It knows lists of outputs, and never kernels or files. The note is a text on standard error, for users to read.
"""

import json
from typing import Any, NamedTuple

from nbformat import v4

from ..model import sizes

#: Share of the limit to which outputs are shortened, so that there is room before the next check.
_STAYS = 0.75

#: Size in characters up to which the outputs of a cell are not shortened.
_LITTLE = 4096


class _Piece(NamedTuple):
    """An output, or a part of a text; dropped parts are never copied."""

    output: Any
    place: int | None  #: its earlier position; None: it is a part, or new
    begin: int
    end: int

    @property
    def size(self) -> int:
        """Its number of characters."""
        return self.end - self.begin

    def cut(self, at: int) -> "tuple[_Piece, _Piece]":
        """Return the parts before and after a position in the text."""
        return self._replace(place=None, end=at), self._replace(place=None, begin=at)

    def made(self) -> Any:
        """Return the output itself."""
        if self.place is not None or self.output["output_type"] != "stream":
            return self.output
        return v4.new_output("stream", name=self.output["name"], text=self.output["text"][self.begin : self.end])


class _Note(NamedTuple):
    """The amount that was dropped from a cell."""

    output: Any
    size: int
    displays: int


def size_of(shown: Any) -> int:
    """Return the size of an output or a message's content, in characters."""
    if "text" in shown:
        return len(shown["text"])
    if "traceback" in shown:
        return sum(map(len, shown["traceback"]))
    data = shown.get("data") or {}
    return sum(len(value) if isinstance(value, str) else len(json.dumps(value, default=str)) for value in data.values())


class Bounds:
    """The limit of one notebook.

    Parameters
    ----------
    limit : int or None
        Characters; None: no limit.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._size = 0  # of the cells' outputs, including those that have arrived since the last check
        self._notes: dict[int, _Note] = {}  # by the cell's position

    def add(self, content: Any) -> bool:
        """Count the content of a message; return whether the cells have to be checked."""
        if self._limit is None:
            return False
        self._size += size_of(content)
        return self._size > self._limit

    def is_note(self, output: Any) -> bool:
        """Return whether an output is one of our notes, to which no text is added."""
        return any(note.output is output for note in self._notes.values())

    def shorten(self, cells: dict[int, list[Any]]) -> dict[int, dict[int, int]]:
        """Shorten the largest cells until all are within the limit.

        Parameters
        ----------
        cells : dict of int to list
            The outputs of cells, by position; changed in place.

        Returns
        -------
        dict of int to dict
            For each shortened cell, the old and new positions of the remaining outputs.
        """
        if self._limit is None:
            return {}
        taken = {place: sum(map(size_of, outputs)) for place, outputs in cells.items()}
        moved: dict[int, dict[int, int]] = {}
        if sum(taken.values()) > self._limit:
            while sum(taken.values()) > self._limit * _STAYS and taken[largest := max(taken, key=taken.__getitem__)] > _LITTLE:
                found = self._halve(largest, cells[largest], taken[largest] // 2)
                moved[largest] = _followed(moved.get(largest), found)
                taken[largest] = sum(map(size_of, cells[largest]))
        self._size = min(sum(taken.values()), int(self._limit * _STAYS))  # small outputs of many cells stay
        return moved

    def _halve(self, place: int, outputs: list[Any], most: int) -> dict[int, int]:
        """Drop the middle of a cell's outputs; return the old and new positions of the remaining ones."""
        pieces = [_Piece(output, number, 0, size_of(output)) for number, output in enumerate(outputs)]
        note = self._notes.get(place, _Note(None, 0, 0))
        at = next((number for number, output in enumerate(outputs) if output is note.output), None)
        if at is None:  # nothing was dropped before, or it has been cleared since
            note = _Note(None, 0, 0)
            head, rest = _first(pieces, most // 2)
        else:
            head, rest = _first(pieces[:at], most // 2)
            rest += pieces[at + 1 :]
        middle, tail = _last(rest, most // 2)
        displays = note.displays + sum(piece.output["output_type"] != "stream" for piece in middle)
        size = note.size + sum(piece.size for piece in middle)
        self._notes[place] = new = _Note(_said(size, displays), size, displays)
        outputs[:] = [*(piece.made() for piece in head), new.output, *(piece.made() for piece in tail)]
        kept = [*(piece.place for piece in head), None, *(piece.place for piece in tail)]
        return {old: number for number, old in enumerate(kept) if old is not None}


def _first(pieces: list[_Piece], most: int) -> tuple[list[_Piece], list[_Piece]]:
    """Return the first pieces up to a number of characters, to the end of a line of text if there is one, and the rest."""
    for number, piece in enumerate(pieces):
        if piece.size > most:
            if piece.output["output_type"] != "stream":
                return pieces[:number], pieces[number:]
            border = piece.begin + most
            inner, outer = piece.cut(piece.output["text"].rfind("\n", piece.begin, border) + 1 or border)
            return [*pieces[:number], inner], [outer, *pieces[number + 1 :]]
        most -= piece.size
    return pieces, []


def _last(pieces: list[_Piece], most: int) -> tuple[list[_Piece], list[_Piece]]:
    """Split off the last pieces up to a number of characters, from the beginning of a line of text if there is one."""
    for number, piece in reversed(list(enumerate(pieces))):
        if piece.size > most:
            if piece.output["output_type"] != "stream":
                return pieces[: number + 1], pieces[number + 1 :]
            border = piece.end - most
            outer, inner = piece.cut(piece.output["text"].find("\n", border, piece.end - 1) + 1 or border)
            return [*pieces[:number], outer], [inner, *pieces[number + 1 :]]
        most -= piece.size
    return [], pieces


def _said(size: int, displays: int) -> Any:
    """Return a note of how much was dropped."""
    what = f", including {displays:,} display{'' if displays == 1 else 's'}," if displays else ""
    text = f"\n… {sizes.show(size)} of output{what} was dropped here (BackgroundJobs.max_output_bytes) …\n"
    return v4.new_output("stream", name="stderr", text=text)


def _followed(before: dict[int, int] | None, after: dict[int, int]) -> dict[int, int]:
    """Return the positions of outputs before two moves, with those after both."""
    return after if before is None else {first: after[second] for first, second in before.items() if second in after}
