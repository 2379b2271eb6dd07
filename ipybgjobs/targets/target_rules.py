"""What this package's own classes require of a call beyond their entry in the allowlist: one object each, used by every check.

At submit the class itself is known (`of`), at launch only its name (`of_name`): a supervisor imports no user code, so
it also tells the worker what the files permit (`extra_permissions`). It follows the links in a path, and otherwise decides from
`Settings` alone.
"""

# ruff: noqa: ARG002 - every rule takes the arguments that any of them needs

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..configuration.settings import CELL, NOTEBOOK_CLASS, Settings
from ..errors import InvalidParameters, JobNotAllowed
from ..model import globs
from ..model.redaction import cut, one_line
from . import allowlist, demands

_RUN = f"{NOTEBOOK_CLASS}.run"

#: Longest path that a refusal shows whole.
_LONGEST = 1000


class TargetRule:
    """The rule of all other classes: nothing is required."""

    def check(self, target: str, params: Mapping[str, Any], settings: Settings) -> None:
        """Check that a call may be submitted.

        Parameters
        ----------
        target : str
            The full dotted path.
        params : mapping
            Its converted parameters.
        settings : Settings
            What the configuration files say.

        Raises
        ------
        JobNotAllowed
            If it may not be submitted; the message says what to do.
        """

    def unlisted(self, params: Mapping[str, Any], settings: Settings) -> str | None:
        """Explain why a call may not be submitted whose target is not on the allowlist; None: as for any other target."""
        return None

    def denial(self, params: Mapping[str, Any], settings: Settings) -> str | None:
        """Explain why a queued job may no longer be launched; None if it may."""
        return None

    def check_group(self, calls: Sequence[Mapping[str, Any]]) -> None:
        """Check that calls may be the jobs of one group.

        Raises
        ------
        InvalidParameters
            If they would overwrite each other's files.
        """

    def job_name(self, params: Mapping[str, Any]) -> str | None:
        """Return the default name of a job; None if it has none."""
        return None

    def pattern(self, params: Mapping[str, Any], settings: Settings) -> str | None:
        """Return the pattern in the files that allows a call; None if it needs none."""
        return None


class CellRule(TargetRule):
    """The rule of `ipybgjobs.Cell`: the files must allow code that is written in a notebook."""

    def check(self, target: str, params: Mapping[str, Any], settings: Settings) -> None:
        """Refuse if code of a notebook is not allowed."""
        if settings.notebook_code is None:
            raise JobNotAllowed(allowlist.switched_off(CELL, settings))


class NotebookRule(TargetRule):
    """The rule of `ipybgjobs.Notebook`: its parameter ``path`` must match a pattern in ``allowed_notebooks``."""

    def check(self, target: str, params: Mapping[str, Any], settings: Settings) -> None:
        """Refuse if no pattern matches, or if this notebook excludes the path."""
        path = _path(params)
        if path is None:
            raise JobNotAllowed(
                f"{target} runs a notebook: its parameter path must be text that matches a pattern in "
                "BackgroundJobs.allowed_notebooks."
            )
        if not fits_notebook(path, settings):
            raise JobNotAllowed(_unlisted(globs.place(path), settings))
        if settings.narrowed_notebooks is not None and not _fits(path, settings.narrowed_notebooks):
            raise JobNotAllowed(
                f"{path} can't run as a job: the configuration files allow it, but "
                "%config BackgroundJobs.allowed_notebooks in this notebook excludes it."
            )

    def unlisted(self, params: Mapping[str, Any], settings: Settings) -> str | None:
        """Name the one line that allows both the class and the notebook."""
        given = getattr(params.get("path"), "value", params.get("path"))  # as it was given, perhaps on a line
        path = globs.place(os.path.expanduser(given)) if isinstance(given, str) else None
        if path is None or not os.path.isfile(path) or settings.locked_by or _RUN in settings.narrowed:
            return None
        return f"{cut(one_line(path), _LONGEST)} can't run as a job: notebooks are not allowed yet. {_allowed_by(path)}"

    def denial(self, params: Mapping[str, Any], settings: Settings) -> str | None:
        """Say that no pattern matches."""
        path = _path(params)
        if path is not None and fits_notebook(path, settings):
            return None
        return f"no pattern in allowed_notebooks matches {params.get('path')!r} (any more)"

    def check_group(self, calls: Sequence[Mapping[str, Any]]) -> None:
        """Refuse if a notebook of the group would overwrite the output of another."""
        outputs = [str(each.get("output") or os.sep) for each in calls]  # a subclass may have none
        files = [file for file in outputs if not file.endswith(os.sep)]
        if len(set(files)) < len(files):
            same = next(file for file in files if files.count(file) > 1)
            raise InvalidParameters(f"Several jobs would write to the same output {same!r}: pass a folder.")

    def job_name(self, params: Mapping[str, Any]) -> str | None:
        """Return the notebook's file name, unless it is a number, which would be an id."""
        path = _path(params)
        name = "" if path is None else cut(one_line(os.path.basename(path)))
        return None if not name or name.isdigit() else name

    def pattern(self, params: Mapping[str, Any], settings: Settings) -> str | None:
        """Return the first pattern that matches."""
        path = _path(params)
        return None if path is None else pattern_of_notebook(path, settings)


_RULES = {demands.CODE: CellRule(), demands.NOTEBOOK: NotebookRule()}
_NONE = TargetRule()


def of(demand: str | None) -> TargetRule:
    """Return the rule of a target by its demand, from `demands.of`."""
    return _NONE if demand is None else _RULES[demand]


def of_name(target: str) -> TargetRule:
    """Return the rule of a target by its name: the files may allow the notebook class by this name only."""
    return _RULES[demands.NOTEBOOK] if target.rpartition(".")[0] == NOTEBOOK_CLASS else _NONE


def extra_permissions(params: Mapping[str, Any], settings: Settings) -> tuple[str, ...]:
    """Return the demands that the files permit for a call; the worker, which has the class, compares."""
    code = () if settings.notebook_code is None else (demands.CODE,)
    return code if of(demands.NOTEBOOK).denial(params, settings) else (demands.NOTEBOOK, *code)


def fits_notebook(path: str, settings: Settings) -> bool:
    """Return whether a notebook matches a pattern in the files."""
    return pattern_of_notebook(path, settings) is not None


def pattern_of_notebook(path: str, settings: Settings) -> str | None:
    """Return the first pattern in the files that a notebook matches; None if there is none."""
    return next((pattern for pattern in settings.allowed_notebooks if _fits(path, [pattern])), None)


def _path(params: Mapping[str, Any]) -> str | None:
    path = params.get("path")
    return path if isinstance(path, str) else None


def _fits(path: str, patterns: Iterable[str]) -> bool:
    place = globs.place(path)  # a link must not lead around a pattern
    return place is not None and any(globs.matches(place, pattern) for pattern in patterns)


def _allowed_by(path: str) -> str:
    """Say which line allows a notebook."""
    if path.isprintable():
        return f"To allow it: {allowlist.allow_command(shlex.quote(path))}"
    return "Its name contains characters that can't be printed on a line: rename it, or allow a pattern that matches it."


def _unlisted(path: str | None, settings: Settings) -> str:
    if path is None:
        return "The notebook can't run as a job: its path is too long, or contains characters that a path can't have."
    if settings.locked_by:
        fix = f"The administrator's file {settings.locked_by} is locked: only a pattern in that file can allow it."
    else:
        fix = _allowed_by(path)
    return f"{cut(one_line(path), _LONGEST)} can't run as a job: it matches no pattern in BackgroundJobs.allowed_notebooks. {fix}"
