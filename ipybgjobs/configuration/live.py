"""Settings that a running notebook changes with ``%config``: they can narrow what the files allow, never widen it."""

from typing import Any

from msgspec.structs import replace
from traitlets.config import Configurable

from ..errors import ConfigurationError
from ..model import surface
from . import loading, traits
from .settings import NOTEBOOK_CODE, AllowedEntry, Settings

#: Settings that the supervisor reads for itself, so that a change in a notebook would not reach it.
_FILES_ONLY = (
    "queues",
    "state_dir",
    "locked",
    "idle_seconds",
    "kill_grace_seconds",
    "exit_grace_seconds",
    "end_children",
    "keep_days",
    "keep_jobs",
    "on_finish",
    "max_output_bytes",
)


class LiveTraits:
    """The traits as one notebook has set them.

    Parameters
    ----------
    instances : Configurable
        One of each class; values that are set on them from now on take effect.
    """

    def __init__(self, *instances: Configurable) -> None:
        self.instances = instances
        self._set: dict[str, Any] = {}
        self._before = [dict(self._section(instance)) for instance in instances]  # from the profile's files
        for instance in instances:
            instance.observe(self._noted, names=list(instance.traits(config=True)))

    def _noted(self, change: Any) -> None:
        self._set[f"{type(change.owner).__name__}.{change.name}"] = change.new

    @staticmethod
    def _section(instance: Configurable) -> dict[str, Any]:
        section: dict[str, Any] = instance.config.get(type(instance).__name__, {})
        return section

    def _all_set(self) -> dict[str, Any]:
        """Return all values set, including those equal to the previous value, for which traitlets reports no change."""
        said = {
            f"{type(instance).__name__}.{name}": getattr(instance, name)
            for instance, before in zip(self.instances, self._before, strict=True)
            for name, value in self._section(instance).items()
            if name not in before or before[name] != value
        }
        return {**said, **self._set}

    def _forget(self, trait: str) -> None:
        """Forget a trait without effect after one error, so that later submits succeed."""
        self._set.pop(trait, None)
        for instance, before in zip(self.instances, self._before, strict=True):
            before.update(
                {name: value for name, value in self._section(instance).items() if f"{type(instance).__name__}.{name}" == trait}
            )

    def apply(self, settings: Settings) -> Settings:
        """Return the settings as this notebook narrows them.

        Raises
        ------
        ConfigurationError
            If it sets what only a file can set.
        """
        retry: dict[str, Any] = {}
        for trait, value in self._all_set().items():
            section, _, name = trait.partition(".")
            if name in _FILES_ONLY or section == traits.JobLogs.__name__:
                self._forget(trait)
                raise ConfigurationError(
                    f"{trait} takes effect only in a configuration file; set it there "
                    f"({surface.command('config show')} lists these files)."
                )
            if section == traits.RetryPolicy.__name__:
                retry[name] = value
            elif name == "allowed_jobs":
                kept = replace(settings, allowed=narrowed(settings, value))
                gone = tuple(target for target in settings.targets() if target not in kept.targets())
                settings = replace(kept, narrowed=(*settings.narrowed, *gone))
            elif name == "allow_notebook_code" and not value and settings.notebook_code is not None:
                settings = replace(settings, notebook_code=None, narrowed=(*settings.narrowed, NOTEBOOK_CODE))
            elif name == "allowed_notebooks":
                settings = replace(settings, narrowed_notebooks=tuple(value))
            elif name == "secret_names":
                settings = replace(settings, secret_names=(*settings.secret_names, *value))
            elif name == "warn_param_bytes":
                settings = replace(settings, warn_param_bytes=value)
        return _with_retry(settings, retry) if retry else settings


def _with_retry(settings: Settings, changes: dict[str, Any]) -> Settings:
    def changed(entry: AllowedEntry) -> AllowedEntry:
        return replace(entry, rules=loading.overridden(entry.rules, changes, "RetryPolicy in this notebook"))

    rules = loading.overridden(settings.rules, changes, "RetryPolicy in this notebook")
    return replace(settings, rules=rules, allowed={key: changed(entry) for key, entry in settings.allowed.items()})


def narrowed(settings: Settings, value: dict[str, Any]) -> dict[str, AllowedEntry]:
    """Return the entries of the files that the notebook keeps, with the methods that both list."""
    kept: dict[str, AllowedEntry] = {}
    for key, item in value.items():
        asked = loading.allowed_entry(key, item, "this notebook", settings.rules)
        if key in settings.allowed:
            entry = settings.allowed[key]
            methods = tuple(method for method in entry.methods if method in asked.methods)
            kept[key] = replace(entry, methods=methods)
    return kept
