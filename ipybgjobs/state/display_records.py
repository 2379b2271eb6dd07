"""The records of ``outputs.jsonl``: what each kind says, which of them still count, and which stay where there are too many.

It decides by the heads of records, in order, and by a limit; it opens no file. What is shown is the same before and after `kept`,
apart from what a note says was dropped.
"""

from types import NoneType
from typing import Any, NamedTuple

from ..model import json_text

_SHOWN: dict[str, Any] = {"data": dict, "metadata": dict}
_SHOWN_BY_ID: dict[str, Any] = {**_SHOWN, "display_id": (str, NoneType)}

#: What a record of each kind has; what else it says is not looked at.
_FIELDS: dict[str, dict[str, Any]] = {
    "begin": {},
    "clear": {"wait": bool},
    "lost": {"reason": str},
    "dropped": {"displays": int, "bytes": int},
    "display": _SHOWN_BY_ID,
    "update": _SHOWN_BY_ID,
    "result": _SHOWN,
    "error": {"name": str, "message": str, "traceback": list},
}

#: Largest number that a file's length, or a count, can be.
_LARGEST = (1 << 63) - 1

#: A half of the limit is for the first records; the last ones have a quarter left once something was dropped between them.
_FIRST, _LAST = 2, 4

#: What a record without its look takes, in bytes, beside its id.
_EMPTY = 100


class Head(NamedTuple):
    """What of a record decides whether it counts."""

    kind: str
    size: int  #: bytes of its line
    offset: int = 0  #: length of the text log at that moment
    began: int | None = None  #: where the text begins that it stands for
    wait: bool = False
    display_id: str | None = None
    displays: int = 0  #: how many a note says were dropped
    bytes: int = 0  #: likewise


class Kept(NamedTuple):
    """A record that stays."""

    place: int  #: which it is; -1: a note
    look: int | None = None  #: the record that says how it looks, if another does
    empty: bool = False  #: another record of its id says how it looks
    displays: int = 0  #: of a note
    bytes: int = 0  #: of a note
    offset: int = 0  #: of a note


def parsed(line: bytes) -> dict[str, Any] | None:
    """Return the record of a line; None where it is none: a crash may have cut it short, and anybody may have written it."""
    try:
        record = json_text.parse(line, parse_constant=lambda _: None)  # NaN and its kin are not JSON
    except ValueError:
        return None
    return record if isinstance(record, dict) and _is_whole(record) else None


def _is_whole(record: dict[str, Any]) -> bool:
    """Whether a record has what its kind needs."""
    fields = _FIELDS.get(record["kind"]) if isinstance(record.get("kind"), str) else None
    if fields is None or not all(isinstance(record.get(name), kind) for name, kind in fields.items()):
        return False
    numbers = (record.get("offset"), record.get("began", 0), record.get("displays", 0), record.get("bytes", 0))
    return all(isinstance(number, int) and 0 <= number <= _LARGEST for number in numbers) and _is_text(
        record.get("traceback", ())
    )


def _is_text(lines: Any) -> bool:
    return all(isinstance(line, str) for line in lines)


def head(record: dict[str, Any], size: int) -> Head:
    """Return the head of a record whose line has so many bytes."""
    return Head(
        kind=record["kind"],
        size=size,
        offset=record["offset"],
        began=record.get("began"),
        wait=record.get("wait", False),
        display_id=record.get("display_id") or None,
        displays=record.get("displays", 0),
        bytes=record.get("bytes", 0),
    )


def kept(heads: list[Head], limit: int | None) -> list[Kept]:
    """Return what stays of some records: what is still shown, and of more than the limit the first and the last.

    Parameters
    ----------
    heads : list of Head
        All of them, in order.
    limit : int or None
        Bytes.
    """
    found = _with_last_looks(heads, _uncleared(heads))
    return found if limit is None else _within(heads, found, limit)


def _uncleared(heads: list[Head]) -> list[int]:
    """The records that no clear has taken away, nor what came after a clear that waits."""
    shown: list[int] = []
    cell: list[int] = []  # since the last beginning
    waits: int | None = None  # the clear that waits for the next output
    for index, each in enumerate(heads):
        upto = each.offset if each.began is None else min(each.began, each.offset)
        if waits is not None and (upto > heads[waits].offset or each.kind not in ("begin", "clear", "update")):
            cell, waits = [waits], None  # the next output has come: a text, or this one
        if each.kind == "begin":
            shown += [*cell, index]
            cell, waits = [], None
        elif each.kind == "clear":
            cell = [*cell[: -1 if waits is not None else None], index] if each.wait else [index]
            waits = index if each.wait else None
        else:
            cell.append(index)
    return shown + cell


def _with_last_looks(heads: list[Head], shown: list[int]) -> list[Kept]:
    """Each display as it was last updated; of those that bear one id the last has the look, and no update is left."""
    looks = {each.display_id: index for index, each in enumerate(heads) if each.display_id}
    last = {heads[index].display_id: index for index in shown if heads[index].kind == "display"}
    found = []
    for index in shown:
        each = heads[index]
        if each.kind == "update":
            continue
        if each.kind != "display" or not each.display_id:
            found.append(Kept(index))
        elif last[each.display_id] == index:
            look = looks[each.display_id]
            found.append(Kept(index, None if look == index else look))
        else:
            found.append(Kept(index, empty=True))
    return found


def _size(heads: list[Head], one: Kept) -> int:
    each = heads[one.place]
    if one.empty:
        return min(each.size, _EMPTY + len(each.display_id or ""))
    return each.size if one.look is None else heads[one.look].size


def _stays(heads: list[Head], one: Kept) -> bool:
    """Whether it is needed by others, and small: what begins a cell, and what clears one."""
    return heads[one.place].kind in ("begin", "clear")


def _within(heads: list[Head], found: list[Kept], limit: int) -> list[Kept]:
    """The first and the last of too many, and a note between them."""
    if sum(_size(heads, one) for one in found) <= limit:
        return found
    first = _first(heads, found, limit // _FIRST)
    rest = found[first:]
    last = _last(heads, rest, limit // _LAST)
    middle, tail = rest[: len(rest) - last], rest[len(rest) - last :]
    gone = [one for one in middle if not _stays(heads, one)]
    lost = {heads[one.place].display_id for one in gone if not one.empty} - {None}
    orphans = {one for one in found[:first] if one.empty and heads[one.place].display_id in lost}  # which looked like these
    note = _note(heads, [*gone, *orphans])
    staying = [one for one in middle if _stays(heads, one)]
    return [*(one for one in found[:first] if one not in orphans), *staying, note, *tail]


def _first(heads: list[Head], found: list[Kept], most: int) -> int:
    """How many of the first stay: up to the note of what was dropped before."""
    taken = 0
    for count, one in enumerate(found):
        taken += _size(heads, one)
        if taken > most or heads[one.place].kind == "dropped":
            return count
    return len(found)


def _last(heads: list[Head], found: list[Kept], most: int) -> int:
    """How many of the last stay: the newest in any case."""
    taken = 0
    for count, one in enumerate(reversed(found)):
        taken += _size(heads, one)
        if count and (taken > most or heads[one.place].kind == "dropped"):
            return count
    return len(found)


def _note(heads: list[Head], gone: list[Kept]) -> Kept:
    """A note of what was dropped, with what earlier notes say."""
    all_of_it = [heads[one.place] for one in gone]
    displays = sum(each.displays if each.kind == "dropped" else 1 for each in all_of_it)
    size = sum(each.bytes if each.kind == "dropped" else _size(heads, one) for one, each in zip(gone, all_of_it, strict=True))
    return Kept(-1, displays=displays, bytes=size, offset=max((each.offset for each in all_of_it), default=0))
