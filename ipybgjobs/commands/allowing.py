"""``allow`` and ``disallow``: look whether what is asked for exists, change the user's file, and say what is allowed then.

All that is asked for at once is checked before anything is written.
"""

import argparse
import json
import shlex
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from ..client.client import client
from ..configuration import sources
from ..configuration.settings import CELL, MAIN_MODULE, NOTEBOOK_CLASS, Settings
from ..errors import BackgroundJobError, ConfigurationError, InvalidRequest, InvalidTarget, JobNotAllowed
from ..model import globs, suggestion
from ..targets import allowlist, target_rules
from ..targets.lookup import Lookup
from . import target_checks, user_files

#: What stands for all public methods of a class.
_ALL = ".*"

#: The end of a file name that is not a target.
_FILE = ".py"


class _Allowed(Struct, frozen=True):
    """A target or a pattern of notebooks that is allowed, and what is known of it."""

    what: str
    known: str


def allow(arguments: argparse.Namespace) -> int:
    """Allow targets, all public methods of a class, or patterns of notebooks, in the user's configuration file."""
    given = [_bare(each) for each in arguments.target]
    try:
        found = _checked(given)
    except BackgroundJobError as error:
        raise _with_the_others(error, given) from None
    _print(found, is_json=arguments.json)
    return 0


def _checked(given: Sequence[str]) -> list[_Allowed]:
    """Allow what is given if all of it can be; return what it stands for."""
    settings = client().settings()
    targets = [each for each in given if not each.endswith(".ipynb")]
    patterns = [_pattern(each, settings) for each in given if each.endswith(".ipynb")]
    runner = [f"{NOTEBOOK_CLASS}.run"] if patterns else []
    for target in (*targets, *runner):
        _check(target.removesuffix(_ALL), settings, is_class=target.endswith(_ALL))
    looked_up = target_checks.looked_up([target.removesuffix(_ALL) for target in targets])
    found = [each for target, one in zip(targets, looked_up, strict=True) for each in _of_target(target, one)]
    _write([*(each.what for each in found), *runner], patterns, settings)
    return [*found, *(_Allowed(pattern, "") for pattern in patterns)]


def _with_the_others(error: BackgroundJobError, given: Sequence[str]) -> BackgroundJobError:
    """Return a refusal of one of several, which says that the others are refused with it."""
    return type(error)(f"{error} Nothing was changed: none of the {len(given)} is allowed.") if len(given) > 1 else error


def _bare(word: str) -> str:
    """Return a word without quotes around it, which `%bgjobs` leaves there."""
    try:
        parts = shlex.split(word) if word[:1] in ("'", '"') else [word]
    except ValueError:  # a quote that belongs to the name
        return word
    return parts[0] if len(parts) == 1 else word


# -- checks -----------------------------------------------------------------------------------------------------------


def _pattern(given: str, settings: Settings) -> str:
    """Return the pattern of a notebook by its path, or of notebooks.

    Raises
    ------
    InvalidRequest
        If there is no such notebook.
    JobNotAllowed
        If only the administrator can allow it.
    """
    pattern = globs.of(given)
    if pattern is None:
        raise InvalidRequest(
            f"There is no notebook {given}; to allow notebooks that do not exist yet, use a pattern in quotes: 'work/**/*.ipynb'."
        )
    if settings.locked_by and not _is_matched(given, pattern, settings):
        raise JobNotAllowed(
            f"The administrator's file {settings.locked_by} is locked: only a pattern in that file can allow {given}."
        )
    return pattern


def _is_matched(given: str, pattern: str, settings: Settings) -> bool:
    return target_rules.fits_notebook(given, settings) or pattern in settings.allowed_notebooks


def _check(target: str, settings: Settings, *, is_class: bool) -> None:
    """Check that the user's file can allow a target, or methods of a class."""
    allowlist.check_form(f"{target}.any" if is_class else target)
    if allowlist.is_allowed(target, settings):
        return
    if settings.locked_by:
        raise JobNotAllowed(
            f"The administrator's file {settings.locked_by} is locked: only an entry in that file can allow {target}."
        )
    key = target if is_class else target.rpartition(".")[0]
    if (key == CELL or key.partition(".")[0] == MAIN_MODULE) and settings.notebook_code is None:
        raise JobNotAllowed(allowlist.switched_off(target, settings))
    if key in settings.allowed and _ranks_higher(settings.allowed[key].source, settings):
        raise ConfigurationError(
            f"{target} can't be allowed in {sources.user_file()}: {settings.allowed[key].source} ranks higher and decides {key}: "
            "add it there."
        )


def _ranks_higher(path: str, settings: Settings) -> bool:
    """Return whether a file decides what the user's file says too."""
    ranked = [file.path for file in settings.files]
    own = sources.user_file()
    return path in ranked and own in ranked and ranked.index(path) > ranked.index(own)


# -- what there is ----------------------------------------------------------------------------------------------------


def _of_target(target: str, found: Lookup | InvalidTarget) -> list[_Allowed]:
    """Return what a target stands for.

    Raises
    ------
    InvalidTarget
        If there is no such function, method or class.
    """
    if target.endswith(_ALL):
        return _methods(found)
    if isinstance(found, InvalidTarget):
        return [_Allowed(target, f". Note: whether it exists is not known: {found}")]
    if found.is_elsewhere and target.endswith(_FILE):
        raise InvalidTarget(
            f"{target} is not a target: name a function or a method, such as module.Class.method; no file of that name is here."
        )
    if found.is_elsewhere and not found.nearest:
        return [_Allowed(target, f". Note: {found.reason}; put it beside the notebook, or install it.")]
    if not found.is_callable:
        raise InvalidTarget(target_checks.refusal(found))
    return [_Allowed(target, f": a {found.kind} in {found.file}." if found.file else f": a {found.kind}.")]


def _methods(found: Lookup | InvalidTarget) -> list[_Allowed]:
    """Return the public methods of a class as they are now."""
    if isinstance(found, InvalidTarget):
        raise found
    if found.kind == "missing":
        raise InvalidTarget(target_checks.refusal(found))
    if found.kind != "class":
        raise InvalidTarget(f"{found.target} is not a class, so it has no methods.{allowlist.offered(found)}")
    if not found.names:
        raise InvalidTarget(f"{found.target} has no public methods.")
    return [_Allowed(f"{found.target}.{name}", f": a method in {found.file}.") for name in found.names]


# -- the user's file --------------------------------------------------------------------------------------------------


def _write(targets: Sequence[str], patterns: Sequence[str], settings: Settings) -> None:
    """Write what is not allowed yet, all in one change."""
    new = [target for target in targets if not allowlist.is_allowed(target, settings)]
    missing = [pattern for pattern in patterns if not _is_matched(pattern, pattern, settings)]
    if new or missing:
        user_files.change(lambda section: _added(section, new, missing, settings))
    for target in targets:
        allowlist.find_permission(target, client().settings())


def _added(section: dict[str, Any], targets: Iterable[str], patterns: Iterable[str], settings: Settings) -> None:
    for target in targets:
        user_files.add_target(section, target, settings)
    for pattern in patterns:
        section.setdefault("allowed_notebooks", []).append(pattern)


def _print(allowed: Sequence[_Allowed], *, is_json: bool) -> None:
    if not is_json:
        print("\n".join(_lines(allowed)))
        return
    names: Any = [each.what for each in allowed]
    print(json.dumps({"allowed": names[0] if len(names) == 1 else names, "file": sources.user_file()}))


def _lines(allowed: Sequence[_Allowed]) -> list[str]:
    """Return a line for each, with its file; one file for several is named once, at the end."""
    files = [_file_of(each.what) for each in allowed]
    if len(allowed) == 1 or len(set(files)) > 1:
        return [f"{each.what} is allowed ({file}){each.known or '.'}" for each, file in zip(allowed, files, strict=True)]
    return [*(f"{each.what} is allowed{each.known or '.'}" for each in allowed), f"They are in {files[0]}."]


def _file_of(what: str) -> str:
    permission = allowlist.permission(what, client().settings())
    return sources.user_file() if permission is None else permission.entry.source


# -- the way back -----------------------------------------------------------------------------------------------------


def disallow(arguments: argparse.Namespace) -> int:
    """Take targets, all methods of a class, or patterns of notebooks back out of the user's configuration file."""
    given = [_bare(each) for each in arguments.target]
    written = user_files.section()
    taken = list(dict.fromkeys(each for one in given for each in _written(one, written)))
    user_files.change(lambda section: _removed(section, taken))
    settings = client().settings()
    for what in taken:
        _check_gone(what, settings)
    said = _no_longer(taken)
    names: Any = taken[0] if len(taken) == 1 else taken
    print(json.dumps({"disallowed": names, "file": sources.user_file()}) if arguments.json else said)
    return 0


def _no_longer(taken: Sequence[str]) -> str:
    if len(taken) == 1:
        return f"{taken[0]} is no longer allowed ({sources.user_file()})."
    return "\n".join([*(f"{what} is no longer allowed." for what in taken), f"They were in {sources.user_file()}."])


def _written(given: str, section: dict[str, Any]) -> list[str]:
    """Return what of the user's file a word names.

    Raises
    ------
    InvalidRequest
        If the file has none of it.
    """
    if given.endswith(".ipynb"):
        found = [each for each in section.get("allowed_notebooks", []) if each in (given, globs.of(given))]
    else:
        key, _, method = given.rpartition(".")
        methods = user_files.methods(section.get("allowed_jobs", {}).get(key))
        found = [f"{key}.{name}" for name in methods if method in (name, _ALL[1:])]
    if not found:
        raise InvalidRequest(_not_written(given, section))
    return found


def _not_written(given: str, section: dict[str, Any]) -> str:
    settings, key = client().settings(), given.rpartition(".")[0]
    by = settings.allowed.get(key)
    if by is not None and (given.endswith(_ALL) or given in by.targets()):
        return f"{given} is allowed by {by.source}, which `allow` has not written: take it out of that file."
    if given.endswith(".ipynb") and target_rules.fits_notebook(given, settings):
        return f"{given} is allowed by a pattern that `allow` has not written for it; `config show` lists all patterns."
    hint = suggestion.did_you_mean(given, everything_written(section))
    return f"{given} is not allowed in {sources.user_file()}; nothing was changed.{hint}"


def everything_written(section: dict[str, Any]) -> list[str]:
    """Return the targets and the patterns of notebooks in the user's file."""
    entries = section.get("allowed_jobs", {}).items()
    return [
        *(f"{key}.{name}" for key, entry in entries for name in user_files.methods(entry)),
        *section.get("allowed_notebooks", []),
    ]


def _removed(section: dict[str, Any], taken: Iterable[str]) -> None:
    for what in taken:
        if what.endswith(".ipynb"):
            section["allowed_notebooks"].remove(what)
        else:
            user_files.remove_target(section, what)


def _check_gone(what: str, settings: Settings) -> None:
    pattern = target_rules.pattern_of_notebook(what, settings) if what.endswith(".ipynb") else None
    permission = allowlist.permission(what, settings)
    if pattern is not None:
        raise ConfigurationError(
            f"{what} was taken out of {sources.user_file()}, but the pattern {pattern} still allows it: take that out too."
        )
    if permission is not None:
        raise ConfigurationError(
            f"{what} was taken out of {sources.user_file()}, but {permission.entry.source} still allows it: "
            "take it out of that file too."
        )
