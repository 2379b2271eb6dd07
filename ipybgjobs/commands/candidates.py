"""What completion can offer: what the store, the configuration and the folder have. It imports nothing, and writes nothing."""

import contextlib
import glob
import inspect
import itertools
import os
import types
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..client import known_keys
from ..client.client import client
from ..client.jobs.group import Group
from ..client.jobs.job import Job
from ..configuration.settings import MAIN_MODULE
from ..errors import BackgroundJobError
from ..model.records import JobState
from . import parameter_names, target_names
from .parameter_names import TypedParameter

#: Most jobs, newest first, names of each kind and paths that are looked through; and most that are offered.
_JOBS, _NAMES, _PATHS, _OFFERED = 5000, 200, 2000, 200

_UNFINISHED = tuple(state for state in JobState if not state.ended)

#: The states of the jobs that a verb is about; those of other verbs may be in any.
_STATES: Mapping[str, tuple[JobState, ...]] = {
    "cancel": _UNFINISHED,
    "priority": tuple(state for state in JobState if state.waiting),
    "retry": (JobState.RETRYING, JobState.FAILED, JobState.CANCELLED),
    "remove": tuple(state for state in JobState if state.ended),
}


class Candidates(NamedTuple):
    """What completion can offer in a notebook.

    Parameters
    ----------
    variables : mapping
        The notebook's variables.
    """

    variables: Mapping[str, Any]

    def targets(self) -> dict[str, str]:
        """Return the allowed targets, also without their package where no other has the name, each with its full path."""
        with contextlib.suppress(BackgroundJobError):
            found = client().settings().targets()
            names = Counter(owner.rpartition(".")[2] for owner in {target.rpartition(".")[0] for target in found})
            short = {".".join(target.split(".")[-2:]): target for target in found if names[target.split(".")[-2]] == 1}
            return {**short, **{target: target for target in found}}
        return {}

    def parameters(self, target: str, *, is_constructor: bool = False) -> list[TypedParameter]:
        """Return what a target takes, or its constructor."""
        return parameter_names.of_target(target, is_constructor=is_constructor)

    def call(self, target: str, *, with_constructor: bool) -> list[TypedParameter]:
        """Return what a call of a target takes, with or without the parameters of its constructor."""
        return parameter_names.of_call(target) if with_constructor else self.parameters(target)

    def of_notebook(self, word: str) -> list[TypedParameter]:
        """Return the parameters of a notebook, by its path as typed."""
        return parameter_names.of_notebook(os.path.expanduser(word.strip("\"'")))

    def own_targets(self) -> dict[str, str]:
        """Return the notebook's own functions and methods where its code may run, each with its full path."""
        with contextlib.suppress(BackgroundJobError):
            if client().settings().notebook_code is not None:
                own = (each for name, value in self.variables.items() for each in _own_targets(name, value))
                return {each: f"{MAIN_MODULE}.{each}" for each in own}
        return {}

    def new_targets(self, word: str) -> list[str]:
        """Return what the Python files of the working directory define, and notebooks, to be allowed."""
        return [*_beginning(target_names.beginning_with(word), word), *self.paths(word, ".ipynb")]

    def allowed_in_user_file(self, word: str) -> list[str]:
        """Return what `disallow` can take out of the user's file."""
        from . import allowing, user_files

        with contextlib.suppress(BackgroundJobError):
            return _beginning(map(_quoted, sorted(allowing.everything_written(user_files.section()))), word)
        return []

    def queues(self, word: str) -> list[str]:
        """Return the configured queues that begin with a word."""
        with contextlib.suppress(BackgroundJobError):
            return _beginning(client().settings().queues, word)
        return []

    def jobs(self, word: str, verb: str = "") -> list[str]:
        """Return ids, newest first, and names of the jobs that a verb is about."""
        found = known_keys.jobs(client(), _STATES.get(verb, ()), _JOBS)
        ids = _beginning((str(job_id) for job_id, _ in found), word)
        names = _beginning(dict.fromkeys(_quoted(name) for _, name in found if name), word)
        return ids[: _OFFERED // 2] + names[: _OFFERED // 2]

    def dependencies(self, word: str) -> list[str]:
        """Return what ``--after`` takes: variables, names of jobs and groups, ids."""
        if word.startswith("$"):
            return self.sent(word, (Job, Group))
        return [*self.groups(word, names_only=True), *self.jobs(word)][:_OFFERED]

    def names(self, word: str) -> list[str]:
        """Return the names of jobs."""
        return _beginning(map(_quoted, known_keys.names(client(), word.strip("\"'"), _NAMES)), word)

    def groups(self, word: str, *, names_only: bool = False) -> list[str]:
        """Return the names and ids of groups, newest first."""
        found = known_keys.groups(client(), _NAMES)
        ids = [] if names_only else [str(group_id) for group_id, _ in found]
        return _beginning([*dict.fromkeys(_quoted(name) for _, name in found if name), *ids], word)

    def sent(self, word: str, kinds: tuple[type, ...] = (object,)) -> list[str]:
        """Return variables as a line names them: ``$df``."""
        named = (
            (name, value) for name, value in self.variables.items() if not name.startswith("_") and not inspect.ismodule(value)
        )
        return _beginning((f"${name}" for name, value in named if isinstance(value, kinds)), word)

    def paths(self, word: str, suffix: str = "") -> list[str]:
        """Return folders, and files with a suffix, whose path begins with a word."""
        bare = word.strip("\"'")
        with contextlib.suppress(OSError, ValueError):
            start = os.path.expanduser(bare) if bare.startswith("~") else bare
            found = sorted(itertools.islice(glob.iglob(f"{glob.escape(start)}*"), _PATHS))
            chosen = (
                f"{path}/" if os.path.isdir(path) else path for path in found if path.endswith(suffix) or os.path.isdir(path)
            )
            return [_quoted(f"{bare}{path[len(start) :]}") for path in chosen][:_OFFERED]
        return []


def _own_targets(name: str, value: Any) -> list[str]:
    """Return what of a variable can be a job: a function, or the public methods of a class, that the notebook defines."""
    if name.startswith("_") or getattr(value, "__module__", None) != MAIN_MODULE or getattr(value, "__name__", None) != name:
        return []
    if not inspect.isclass(value):
        return [name] if inspect.isfunction(value) else []
    members = ((each, inspect.getattr_static(value, each, None)) for each in dir(value) if not each.startswith("_"))
    return [f"{name}.{each}" for each, found in members if isinstance(found, (types.FunctionType, classmethod, staticmethod))]


def _quoted(text: str) -> str:
    """Return a text as one word of a line."""
    return f'"{text}"' if any(character.isspace() or character in "\"'#,;()[]{}" for character in text) else text


def _beginning(found: Iterable[str], word: str) -> list[str]:
    """Return the texts that begin with a word, quoted or not."""
    bare = word.lstrip("\"'")
    return [each for each in found if each.lstrip("\"'").startswith(bare)][:_OFFERED]
