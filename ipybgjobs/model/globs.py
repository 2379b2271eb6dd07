"""Patterns of absolute paths: ``*`` matches anything between two slashes, ``**`` any number of folders.

They compare only names; only the start of a pattern is looked up on disk, because a home folder is often a link.
"""

import fnmatch
import glob
import os
import re

from .redaction import quoted

#: Limit of Linux: a path is shorter than this, in bytes.
_TOO_LONG = 4096

_WILD = re.compile(r"[*?\[]")


def expanded(pattern: str) -> str:
    """Return a pattern with ``~`` expanded.

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
    """Return where a path leads when all links are followed; None if no file can have it, for example because it is too long."""
    return os.path.realpath(path) if _is_possible(path) else None


def _is_possible(path: str) -> bool:
    try:
        return len(os.fsencode(path)) < _TOO_LONG and "\0" not in path
    except UnicodeEncodeError:
        return False


def of(given: str) -> str | None:
    """Return the pattern of absolute paths for what a user typed: a file's path, or a pattern below the working directory.

    Parameters
    ----------
    given : str
        An existing file, whatever its name, or a pattern.

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
    """Return whether a path without links matches a pattern; links before the pattern's first wildcard are followed."""
    parts = [part for part in pattern.split("/") if part]
    first = next((number for number, part in enumerate(parts) if _WILD.search(part)), len(parts))
    start = os.path.realpath("/" + "/".join(parts[:first]))
    fixed = [part for part in start.split("/") if part]
    names = [part for part in path.split("/") if part]
    return names[: len(fixed)] == fixed and _fits(names[len(fixed) :], parts[first:])


def _fits(names: list[str], wanted: list[str]) -> bool:
    """Return whether names match a pattern, part by part."""
    reached = {0}  # numbers of names that the parts so far may have matched
    for part in wanted:
        if part == "**":
            reached = set(range(min(reached), len(names) + 1)) if reached else set()
        else:
            reached = {at + 1 for at in reached if at < len(names) and fnmatch.fnmatchcase(names[at], part)}
    return len(names) in reached
