"""The key by which a job or group is looked up: its id, or a name or uid as text; an id may be typed as text too."""

#: Digits of the longest id.
_DIGITS = 18


def of(given: int | str) -> int | str:
    """Return the id that a text is, since no name or uid is a number of so few digits; any other key as it is."""
    return int(given) if isinstance(given, str) and is_whole(given) else given


def is_whole(text: str) -> bool:
    """Return whether a text is an integer of at least 0, and no longer than an id."""
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS
