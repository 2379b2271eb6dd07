"""Decide whether a name may run: find the entry that allows a target, or the reason why none does.

It imports none of the user's code, and decides from `Settings` alone. `target_rules` checks a target's parameters.
"""

import os
import shlex
import sys
from typing import NamedTuple

from ..configuration.settings import CELL, MAIN_MODULE, NOTEBOOK_CODE, AllowedEntry, Settings
from ..errors import JobNotAllowed
from ..model.redaction import quoted
from ..model.suggestion import did_you_mean

#: Longest target, in characters; module paths are far shorter.
_LONGEST = 1000

#: Similarity of a target that is worth a hint.
_NEAR = 0.75


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
    _check_form(target)
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


def _check_form(target: str) -> None:
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
    """Return the notebook line that allows a target or a notebook, run by this interpreter."""
    return f"!{shlex.quote(sys.executable or 'python')} -m ipybgjobs allow {target}"


def _unlisted(target: str, settings: Settings) -> str:
    hint = did_you_mean(target, settings.targets(), _NEAR)
    return f"{target} is not on the allowlist.{hint} {_fix(target, settings)}"


def _unlisted_method(target: str, entry: AllowedEntry, settings: Settings) -> str:
    hint = did_you_mean(target, entry.targets(), _NEAR)
    listed = ", ".join(entry.methods) or "no methods"
    return (
        f"{target} is not on the allowlist, which lists {listed} for {entry.key} ({entry.source}).{hint} {_fix(target, settings)}"
    )


def _fix(target: str, settings: Settings) -> str:
    if target in settings.narrowed:
        return "The configuration files allow it, but %config BackgroundJobs.allowed_jobs in this notebook excludes it."
    if settings.locked_by:
        return f"The administrator's file {settings.locked_by} is locked: only an entry in that file can allow it."
    return f"To allow it: {allow_command(target)}"
