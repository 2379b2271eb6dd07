"""The path of a file whose content goes with a job: text like any path, and what the file held when the job was submitted.

It reads and writes nothing. Workers load it, so it imports nothing.
"""

from typing import Self


class Enclosed(str):
    """A path, with the content that its file had.

    Parameters
    ----------
    path : str
        The file; what is shown, and what the job's row says.
    content : bytes
        What is kept in the job's folder, and goes with it.
    """

    content: bytes
    __slots__ = ("content",)

    def __new__(cls, path: str, content: bytes) -> Self:
        """Put a path and a content together."""
        made = super().__new__(cls, path)
        made.content = content
        return made

    def __reduce__(self) -> tuple[type[Self], tuple[str, bytes]]:
        return type(self), (str(self), self.content)
