"""Decide whether a name may run: find the entry that allows a target, or the reason why none does.

It imports none of the user's code, and decides from `Settings` alone; a refusal also says whether the source has such a target.
`target_rules` checks a target's parameters.
"""

import os
import shlex
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

from ..configuration.settings import CELL, MAIN_MODULE, NOTEBOOK_CODE, AllowedEntry, Settings
from ..errors import JobNotAllowed
from ..model import suggestion, surface
from ..model.redaction import quoted
from ..model.surface import Surface
from . import lookup
from .lookup import Lookup

#: Longest target, in characters; module paths are far shorter.
_LONGEST = 1000

#: Most names of a class or module that a refusal lists.
_MOST_NAMES = 10


class Permission(NamedTuple):
    """An allowed target, and the entry that allows it."""

    entry: AllowedEntry
    method: str

    @property
    def target(self) -> str:
        """The full dotted path."""
        return f"{self.entry.key}.{self.method}"

    @property
    def by_value(self) -> bool:
        """Whether the code itself is sent, because no other process could import it."""
        return is_by_value(self.entry.key)

    @property
    def allowed_by(self) -> str:
        """The setting that allows it, as written in the file."""
        return NOTEBOOK_CODE if _is_of_main(self.entry.key) else f"allowed_jobs[{self.entry.key!r}]"


def find_permission(target: str, settings: Settings) -> Permission:
    """Find the entry that allows a target.

    Parameters
    ----------
    target : str
        ``module.Class.method``, ``module.function``, or ``Class.method`` if only one allowed class has the name.
    settings : Settings
        What the configuration files say.

    Raises
    ------
    JobNotAllowed
        If no entry does; the message is one sentence with the rule and the fix.
    """
    _check_not_file(target, settings)
    check_form(target)
    key, _, method = target.rpartition(".")
    if _is_of_main(key) and settings.notebook_code is None:
        raise JobNotAllowed(switched_off(target, settings))
    entry = _entry(key, method, settings) or _by_bare_name(key, settings)
    if entry is None:
        raise JobNotAllowed(_unlisted(target, settings))
    if method not in entry.methods:
        raise JobNotAllowed(_unlisted_method(f"{entry.key}.{method}", entry, settings))
    return Permission(entry, method)


def is_allowed(target: str, settings: Settings) -> bool:
    """Return whether the files allow a full target; the check at launch."""
    return permission(target, settings) is not None


def permission(target: str, settings: Settings) -> Permission | None:
    """Return the entry that allows a full target; None if none does."""
    key, _, method = target.rpartition(".")
    entry = _entry(key, method, settings)
    return Permission(entry, method) if entry is not None and method in entry.methods else None


def is_by_value(key: str) -> bool:
    """Return whether a class, or a function's module, is defined in the notebook or script, so that its code must be sent."""
    return key.partition(".")[0] == MAIN_MODULE


def _is_of_main(key: str) -> bool:
    return key == CELL or is_by_value(key)


def _entry(key: str, method: str, settings: Settings) -> AllowedEntry | None:
    """Return the entry of a class or module: from `allowed_jobs`, or created by the switch for notebook code."""
    if not _is_of_main(key):
        return settings.allowed.get(key)
    if settings.notebook_code is None or _private(f"{key}.{method}"):
        return None
    methods = ("run",) if key == CELL else (method,)
    return AllowedEntry(key, methods, settings.notebook_code, rules=settings.rules)


def _private(target: str) -> list[str]:
    """Return the names in a target that are not public."""
    return [part for part in target.removeprefix(f"{MAIN_MODULE}.").split(".") if part.startswith("_")]


def _check_not_file(target: str, settings: Settings) -> None:
    """Refuse the name of a Python file, which reads like a function ``py`` of a module."""
    if isinstance(target, str) and target.endswith(".py") and permission(target, settings) is None:
        module = os.path.basename(target).removesuffix(".py")
        name = module if module.isidentifier() else "module"
        raise JobNotAllowed(f"{quoted(target)[1:-1]} is a file: write {name}.Class.method, or {name}.function.")


def check_form(target: str) -> None:
    """Check that a target has the form of one, and that its names are public.

    Raises
    ------
    JobNotAllowed
        If it has not.
    """
    if not isinstance(target, str):
        raise JobNotAllowed(f"A target must be text, module.Class.method or module.function; got {type(target).__name__}.")
    parts = target.split(".")
    if not all(part.isidentifier() for part in parts) or len(parts) < 2:  # noqa: PLR2004 - something and its method
        raise JobNotAllowed(f"{quoted(target)} is not a valid target: write module.Class.method or module.function.")
    if len(target) > _LONGEST:
        raise JobNotAllowed(f"{quoted(target)} is not a valid target: it is longer than {_LONGEST:,} characters.")
    private = _private(target)
    if private:
        raise JobNotAllowed(f"{target} can't run as a job: {private[0]} is a private name, and only public names are allowed.")


def _by_bare_name(name: str, settings: Settings) -> AllowedEntry | None:
    if "." in name:
        return None
    entries = [entry for key, entry in settings.allowed.items() if key.rpartition(".")[2] == name]
    if len(entries) > 1:
        keys = ", ".join(entry.key for entry in entries)
        raise JobNotAllowed(f"{name} is the name of several allowed classes ({keys}): write the full path of one.")
    return entries[0] if entries else None


def check_instance(permission: Permission, settings: Settings) -> None:
    """Check that an instance may be sent by value, so that a job calls its method.

    Raises
    ------
    JobNotAllowed
        If code of a notebook is not allowed.
    """
    if settings.notebook_code is None:
        called = ".".join(permission.target.split(".")[-2:])
        raise JobNotAllowed(
            f"{called} is the method of an instance, which is sent by value only where code of a notebook is allowed: pass "
            f"{called} of the class, with the constructor's parameters as init={{…}}. {_switch(settings)}"
        )


def switched_off(target: str, settings: Settings) -> str:
    """Explain why code of the notebook may not run, and what to do."""
    fix = _switch(settings)
    if target.startswith(CELL):
        return f"The code of a cell can't run as a job. {fix}"
    name = target.removeprefix(f"{MAIN_MODULE}.")
    return (
        f"{name} is defined in the notebook, where a separate process can't import it: move it to a module (a .py file beside "
        f"the notebook) and allow it there, or have it sent by value. {fix}"
    )


def _switch(settings: Settings) -> str:
    """Say what allows code of the notebook."""
    switch = f"c.BackgroundJobs.{NOTEBOOK_CODE} = True"
    if NOTEBOOK_CODE in settings.narrowed:
        return (
            f"The configuration files allow it, but %config BackgroundJobs.{NOTEBOOK_CODE} = False in this notebook turns it off."
        )
    if settings.locked_by:
        return f"The administrator's file {settings.locked_by} is locked: only {switch} in that file can allow it."
    own = [file.path for file in settings.files if file.rank == "user" and file.path.endswith(".py")]
    return f"To allow it: put {switch} in {own[-1] if own else 'a configuration file'}."


def allow_command(target: str) -> str:
    """Return the line that allows a target or a notebook: for the notebook, IPython or the terminal in which it is shown."""
    return f"{_command()} allow {target}"


def _command() -> str:
    """Return how a verb is typed where this process shows its messages."""
    if surface.is_notebook():
        return str(Surface.NOTEBOOK)
    program = f"{shlex.quote(sys.executable or 'python')} -m ipybgjobs"
    interactive: Any = sys.modules.get("IPython")
    return program if interactive is None or interactive.get_ipython() is None else f"!{program}"


def _unlisted(target: str, settings: Settings) -> str:
    return f"{target} is not on the allowlist{_fix(target, settings.targets(), settings)}"


def _unlisted_method(target: str, entry: AllowedEntry, settings: Settings) -> str:
    listed = ", ".join(entry.methods) or "no methods"
    said = f"{target} is not on the allowlist, which lists {listed} for {entry.key} ({entry.source})"
    return f"{said}{_fix(target, entry.targets(), settings)}"


def _fix(target: str, known: Iterable[str], settings: Settings) -> str:
    """Return the rest of a refusal: what may be meant, if there is no such target; otherwise what allows it."""
    if target in settings.narrowed:
        return ". The configuration files allow it, but %config BackgroundJobs.allowed_jobs in this notebook excludes it."
    found = lookup.by_text(target)
    near = "" if found.is_callable else (suggestion.nearest_path(target, known) or found.nearest)
    why = f"{':' if found.is_file or found.kind != 'missing' else ';'} {found.reason}" if found.reason else ""
    hint = f" Did you mean {near}?" if near else ""
    if near and (found.kind != "unknown" or found.nearest):
        return f"{why}.{hint}"
    if settings.locked_by:
        return f"{why}.{hint} The administrator's file {settings.locked_by} is locked: only an entry in that file can allow it."
    if found.is_wrong:
        return f"{why}.{offered(found)}"
    is_known = target.rpartition(".")[0] in settings.allowed  # so it is somewhere, if not here
    if found.is_elsewhere and not is_known:
        return f"{why}.{hint or ' Put its file beside the notebook, or install it.'}"
    return f"{why}.{hint} To allow it{' all the same' if found.is_elsewhere else ''}: {allow_command(target)}"


def offered(found: Lookup) -> str:
    """Return what of the class or module that was found can be allowed, as a sentence."""
    return (
        f" It has {', '.join(found.names[:_MOST_NAMES])}{', …' if len(found.names) > _MOST_NAMES else ''}." if found.names else ""
    )
