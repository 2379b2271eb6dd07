"""The records of ``outputs.jsonl``: what each kind holds, which of them still matter, and which stay if there are too many.

It decides by the heads of records, in order, and by a limit, and never opens a file. The same is shown before and after `kept`,
except for what a note says was dropped.
"""

from types import NoneType
from typing import Any, NamedTuple

from ..model import json_text

_SHOWN: dict[str, Any] = {"data": dict, "metadata": dict}
_SHOWN_BY_ID: dict[str, Any] = {**_SHOWN, "display_id": (str, NoneType)}

#: The fields that a record of each kind has; others are ignored.
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

#: Largest possible length of a file, or count.
_LARGEST = (1 << 63) - 1

#: Half of the limit is for the first records; once something was dropped, the last ones get a quarter.
_FIRST, _LAST = 2, 4

#: Bytes that a record without its content takes, besides its id.
_EMPTY = 100


class RecordHead(NamedTuple):
    """The part of a record that decides whether it still matters."""

    kind: str
    size: int  #: bytes of its line
    offset: int = 0  #: length of the text log at that moment
    began: int | None = None  #: where the text that it replaces begins
    wait: bool = False
    display_id: str | None = None
    displays: int = 0  #: number of displays that a note says were dropped
    bytes: int = 0  #: number of bytes that it says were dropped


class KeptRecord(NamedTuple):
    """A record that stays."""

    place: int  #: its index; -1: a note
    look: int | None = None  #: the record with its latest content, if that is another
    empty: bool = False  #: another record of its id has its latest content
    displays: int = 0  #: of a note
    bytes: int = 0  #: of a note
    offset: int = 0  #: of a note


def parsed(line: bytes) -> dict[str, Any] | None:
    """Return the record of a line; None if it is not one: a crash may have cut it short, and anyone may have written it."""
    try:
        record = json_text.parse(line, parse_constant=lambda _: None)  # NaN and infinities are not JSON
    except ValueError:
        return None
    return record if isinstance(record, dict) and _is_whole(record) else None


def _is_whole(record: dict[str, Any]) -> bool:
    """Return whether a record has the fields that its kind needs."""
    fields = _FIELDS.get(record["kind"]) if isinstance(record.get("kind"), str) else None
    if fields is None or not all(isinstance(record.get(name), kind) for name, kind in fields.items()):
        return False
    numbers = (record.get("offset"), record.get("began", 0), record.get("displays", 0), record.get("bytes", 0))
    return all(isinstance(number, int) and 0 <= number <= _LARGEST for number in numbers) and _is_text(
        record.get("traceback", ())
    )


def _is_text(lines: Any) -> bool:
    return all(isinstance(line, str) for line in lines)


def head(record: dict[str, Any], size: int) -> RecordHead:
    """Return the head of a record whose line takes `size` bytes."""
    return RecordHead(
        kind=record["kind"],
        size=size,
        offset=record["offset"],
        began=record.get("began"),
        wait=record.get("wait", False),
        display_id=record.get("display_id") or None,
        displays=record.get("displays", 0),
        bytes=record.get("bytes", 0),
    )


def kept(heads: list[RecordHead], limit: int | None) -> list[KeptRecord]:
    """Return the records that stay: those still shown, and above the limit only the first and the last of them.

    Parameters
    ----------
    heads : list of RecordHead
        All of them, in order.
    limit : int or None
        Bytes.
    """
    found = _with_last_updates(heads, _uncleared(heads))
    return found if limit is None else _within(heads, found, limit)


def _uncleared(heads: list[RecordHead]) -> list[int]:
    """Return the records that have not been cleared, directly or by a pending clear."""
    shown: list[int] = []
    cell: list[int] = []  # since the last beginning of a cell
    waits: int | None = None  # the pending clear, which takes effect at the next output
    for index, each in enumerate(heads):
        upto = each.offset if each.began is None else min(each.began, each.offset)
        if waits is not None and (upto > heads[waits].offset or each.kind not in ("begin", "clear", "update")):
            cell, waits = [waits], None  # the next output has come: text, or this display
        if each.kind == "begin":
            shown += [*cell, index]
            cell, waits = [], None
        elif each.kind == "clear":
            cell = [*cell[: -1 if waits is not None else None], index] if each.wait else [index]
            waits = index if each.wait else None
        else:
            cell.append(index)
    return shown + cell


def _with_last_updates(heads: list[RecordHead], shown: list[int]) -> list[KeptRecord]:
    """Return each display as last updated; of those with the same id, the last holds the content, and no update is left."""
    looks = {each.display_id: index for index, each in enumerate(heads) if each.display_id}
    last = {heads[index].display_id: index for index in shown if heads[index].kind == "display"}
    found = []
    for index in shown:
        each = heads[index]
        if each.kind == "update":
            continue
        if each.kind != "display" or not each.display_id:
            found.append(KeptRecord(index))
        elif last[each.display_id] == index:
            look = looks[each.display_id]
            found.append(KeptRecord(index, None if look == index else look))
        else:
            found.append(KeptRecord(index, empty=True))
    return found


def _size(heads: list[RecordHead], one: KeptRecord) -> int:
    each = heads[one.place]
    if one.empty:
        return min(each.size, _EMPTY + len(each.display_id or ""))
    return each.size if one.look is None else heads[one.look].size


def _stays(heads: list[RecordHead], one: KeptRecord) -> bool:
    """Return whether others need a record, and it is small: it begins or clears a cell."""
    return heads[one.place].kind in ("begin", "clear")


def _within(heads: list[RecordHead], found: list[KeptRecord], limit: int) -> list[KeptRecord]:
    """Return the first and the last of too many records, with a note between them."""
    if sum(_size(heads, one) for one in found) <= limit:
        return found
    first = _first(heads, found, limit // _FIRST)
    rest = found[first:]
    last = _last(heads, rest, limit // _LAST)
    middle, tail = rest[: len(rest) - last], rest[len(rest) - last :]
    gone = [one for one in middle if not _stays(heads, one)]
    lost = {heads[one.place].display_id for one in gone if not one.empty} - {None}
    orphans = {
        one for one in found[:first] if one.empty and heads[one.place].display_id in lost
    }  # its content is shared with these
    note = _note(heads, [*gone, *orphans])
    staying = [one for one in middle if _stays(heads, one)]
    return [*(one for one in found[:first] if one not in orphans), *staying, note, *tail]


def _first(heads: list[RecordHead], found: list[KeptRecord], most: int) -> int:
    """Return how many of the first stay: up to the note of an earlier drop."""
    taken = 0
    for count, one in enumerate(found):
        taken += _size(heads, one)
        if taken > most or heads[one.place].kind == "dropped":
            return count
    return len(found)


def _last(heads: list[RecordHead], found: list[KeptRecord], most: int) -> int:
    """Return how many of the last stay: at least the newest."""
    taken = 0
    for count, one in enumerate(reversed(found)):
        taken += _size(heads, one)
        if count and (taken > most or heads[one.place].kind == "dropped"):
            return count
    return len(found)


def _note(heads: list[RecordHead], gone: list[KeptRecord]) -> KeptRecord:
    """Return a note of what was dropped, including what earlier notes say."""
    all_of_it = [heads[one.place] for one in gone]
    displays = sum(each.displays if each.kind == "dropped" else 1 for each in all_of_it)
    size = sum(each.bytes if each.kind == "dropped" else _size(heads, one) for one, each in zip(gone, all_of_it, strict=True))
    return KeptRecord(-1, displays=displays, bytes=size, offset=max((each.offset for each in all_of_it), default=0))
