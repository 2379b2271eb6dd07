"""The file that a target comes from: a hash of its content, and its date and size as a cheap sign that it is unchanged.

A value: it is looked up by `targets.source`, and never reads a file itself.
"""

from typing import Any, Self

from msgspec import Struct


class SourceFile(Struct, frozen=True):
    """A file as it was at one moment.

    Parameters
    ----------
    path : str
        The file.
    modified_ns, size : int
        Date in nanoseconds and size in bytes.
    digest : str
        SHA-256 of the content.
    """

    path: str
    modified_ns: int
    size: int
    digest: str

    def to_json(self) -> list[Any]:
        """Return JSON values."""
        return [self.path, self.modified_ns, self.size, self.digest]

    @classmethod
    def from_json(cls, values: list[Any]) -> Self:
        """Rebuild a source from `to_json`.

        Raises
        ------
        ValueError, TypeError
            If `to_json` did not return it.
        """
        found = cls(*values)
        if [type(value) for value in found.to_json()] != [str, int, int, str]:
            raise ValueError("it is not a source: path, date, size and hash")
        return found

    def is_same(self, seen: list[Any] | None) -> bool:
        """Return whether a worker has run exactly this content; `seen`: what it loaded, as from `to_json`."""
        return seen is not None and (seen[0], seen[-1]) == (self.path, self.digest)
