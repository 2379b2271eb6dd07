"""Patterns of absolute paths: ``*`` stands for what is between two slashes, ``**`` for any number of folders.

They decide by names alone; only where a pattern begins is looked up on disk, since a home folder is often a link.
"""

import fnmatch
import glob
import os
import re

from .redaction import quoted

#: Bytes that a path is shorter than, as Linux has it.
_TOO_LONG = 4096

_WILD = re.compile(r"[*?\[]")


def expanded(pattern: str) -> str:
    """Return a pattern with ``~`` written out.

    Raises
    ------
    ValueError
        If it is not the pattern of an absolute path.
    """
    found = os.path.expanduser(pattern) if _is_possible(pattern) else ""
    if not os.path.isabs(found) or ".." in found.split("/"):
        raise ValueError(f'{quoted(pattern)} is not a pattern of absolute paths, such as "~/work/**/*.ipynb"')
    return found


def place(path: str) -> str | None:
    """Return where a path leads when all links are followed; None where no file can have it, since it is too long, say."""
    return os.path.realpath(path) if _is_possible(path) else None


def _is_possible(path: str) -> bool:
    try:
        return len(os.fsencode(path)) < _TOO_LONG and "\0" not in path
    except UnicodeEncodeError:
        return False


def of(given: str) -> str | None:
    """Return the pattern of absolute paths that a person means: a file's own path, or a pattern below the working directory.

    Parameters
    ----------
    given : str
        A file that is there, whatever its name, or a pattern.

    Returns
    -------
    str or None
        None if it is neither.
    """
    if not _is_possible(given):
        return None
    path = os.path.abspath(os.path.expanduser(given))
    if os.path.exists(path):
        return glob.escape(os.path.realpath(path))
    return path if _WILD.search(given) else None


def matches(path: str, pattern: str) -> bool:
    """Whether a path without links in it fits a pattern; links in what stands before the first wildcard are followed."""
    parts = [part for part in pattern.split("/") if part]
    first = next((number for number, part in enumerate(parts) if _WILD.search(part)), len(parts))
    start = os.path.realpath("/" + "/".join(parts[:first]))
    fixed = [part for part in start.split("/") if part]
    names = [part for part in path.split("/") if part]
    return names[: len(fixed)] == fixed and _fits(names[len(fixed) :], parts[first:])


def _fits(names: list[str], wanted: list[str]) -> bool:
    """Whether names fit a pattern, part by part."""
    reached = {0}  # how many names the parts so far may have taken
    for part in wanted:
        if part == "**":
            reached = set(range(min(reached), len(names) + 1)) if reached else set()
        else:
            reached = {at + 1 for at in reached if at < len(names) and fnmatch.fnmatchcase(names[at], part)}
    return len(names) in reached
