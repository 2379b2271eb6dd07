"""The hint at the end of a refusal: the known name that resembles the given one most. It decides nothing."""

from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return " Did you mean …?" with the nearest name; an empty text if none is near.

    Parameters
    ----------
    name : str
        The name that is not known.
    known : iterable of str
        Those that are.
    cutoff : float
        Similarity from which on a name counts as near, from 0 to 1.
    """
    near = nearest(name, known, cutoff)
    return "" if near is None else f" Did you mean {near}?"


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known name that resembles another most; None if none is near. See `did_you_mean`."""
    import difflib  # here, since most processes refuse nothing

    found = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return found[0] if found else None


#: Similarity from which on each part of a path counts as near.
_NEAR = 0.6


def nearest_path(path: str, known: Iterable[str]) -> str | None:
    """Return the known dotted path of which each part resembles another's, compared from the end; None if there is none."""
    from difflib import SequenceMatcher

    def likeness(other: str) -> float:
        pairs = zip(reversed(path.split(".")), reversed(other.split(".")), strict=False)
        return min(SequenceMatcher(None, *pair).ratio() for pair in pairs)

    found = max(known, key=likeness, default=None)
    return None if found is None or likeness(found) < _NEAR else found
