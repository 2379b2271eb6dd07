"""The path of a file whose content goes with a job: text like any path, plus the content at the time of submit.

It never reads or writes a file. Workers load it, so it imports nothing.
"""

from typing import Self


class PathWithContent(str):
    """A path, with the content of its file.

    Parameters
    ----------
    path : str
        The file; it is shown, and is in the job's row.
    content : bytes
        Its content, which is kept in the job's folder, and is removed with it.
    """

    content: bytes
    __slots__ = ("content",)

    def __new__(cls, path: str, content: bytes) -> Self:
        """Combine a path and a content."""
        made = super().__new__(cls, path)
        made.content = content
        return made

    def __reduce__(self) -> tuple[type[Self], tuple[str, bytes]]:
        return type(self), (str(self), self.content)
