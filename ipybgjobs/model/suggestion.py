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
    import difflib  # here, since most processes refuse nothing

    near = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return f" Did you mean {near[0]}?" if near else ""
