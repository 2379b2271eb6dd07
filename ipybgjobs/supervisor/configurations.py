"""Evaluate the configuration files again, outside the kernel, at launch.

A short-lived child evaluates them to plain data when a file (or its absence) has changed. Until it has answered, and while a
file can't be read, the jobs that depend on it wait. No job is denied because a file can't be read.
"""

import functools
import time
from collections.abc import Iterable
from typing import Any

from msgspec import Struct, field

from ..configuration import sources
from ..configuration.settings import KEEP_ALL, LogSettings, Settings
from ..system.child import JsonChild
from ..targets.context import Context
from .helpers import Helpers

#: Longest time that evaluating the files may take, in seconds.
LONGEST_EVALUATION = 60.0

#: Seconds after which a slow evaluation is reported.
LONG_EVALUATION = 3.0

#: Seconds before an evaluation that died is repeated.
PAUSE = 5.0

#: An evaluation depends on the files, and on the interpreter that evaluates them.
_Key = tuple[tuple[sources.ConfigurationFile, ...], str, str]


class _Evaluation(Struct):
    """A child that evaluates files, or its answer."""

    paths: tuple[str, ...]
    stamps: sources.FileStamps
    child: JsonChild | None
    settings: Settings | None = None
    error: str | None = None
    again_at: float | None = None  #: on the monotonic clock: when to repeat it, since it died without an answer
    began_at: float = field(default_factory=time.time)  #: seconds since the epoch

    @property
    def is_slow(self) -> bool:
        """Return whether it takes so long that it has to be reported."""
        return self.child is not None and time.monotonic() >= self.child.began + LONG_EVALUATION

    @property
    def problem(self) -> str | None:
        """Explain why the jobs that depend on it can't start; None if no reason is known."""
        if not self.is_slow:
            return self.error
        files = ", ".join(path for path, stamp in zip(self.paths, self.stamps, strict=True) if stamp) or "no file"
        since = time.strftime("%H:%M:%S", time.localtime(self.began_at))
        return f"reading the configuration ({files}) has been slow since {since}; jobs that depend on it are waiting"

    def is_stale(self, stamps: sources.FileStamps) -> bool:
        """Return whether the files have changed since, or the child has to be started again."""
        return self.stamps != stamps or (self.again_at is not None and time.monotonic() >= self.again_at)


def _key(context: Context) -> _Key:
    return _with_system(context.sources), context.executable, context.package_root


#: The files of each list of files, which most jobs share.
_with_system = functools.lru_cache(maxsize=64)(sources.with_system)


class ConfigurationCache:
    """The settings of each caller's files.

    Parameters
    ----------
    helpers : Helpers
        Starts the children that evaluate files.
    """

    def __init__(self, helpers: Helpers) -> None:
        self._helpers = helpers
        self._evaluations: dict[_Key, _Evaluation] = {}
        self._stale: set[_Key] = set()  # whose files had changed at the last check
        self._wanted: dict[_Key, Context] = {}  # requested and unknown
        self.latest = Settings()  #: of the last successful evaluation
        self.is_read = False  #: whether one has succeeded; until then `latest` has only defaults

    def filenos(self) -> list[int]:
        """Descriptors that become readable when a child answers."""
        return [e.child.fileno() for e in self._evaluations.values() if e.child]

    def limit(self) -> float | None:
        """Return when a running evaluation is reported as slow or abandoned, on the monotonic clock; None if none runs."""
        asked = [(e.child, e.is_slow) for e in self._evaluations.values() if e.child]
        return min((q.limit if slow else q.began + LONG_EVALUATION for q, slow in asked), default=None)

    def settings(self, context: Context) -> Settings | None:
        """Return the settings of a caller's files; None while they are unknown (see `problem`)."""
        key = _key(context)
        paths = [path for path, _ in key[0]]
        evaluation = self._evaluations.get(key)
        stamps = sources.stamp_files(paths)
        if evaluation is None or evaluation.is_stale(stamps):
            if evaluation is not None and evaluation.child is not None:
                evaluation.child.give_up()  # it is reading outdated files
            self._evaluations[key] = self._begin(key, tuple(paths), stamps)
            return None
        return None if evaluation.child else evaluation.settings

    def refresh(self) -> None:
        """Check for changed files, so that `known`, which is called in a transaction, need not."""
        self._stale = {
            key
            for key, evaluation in self._evaluations.items()
            if evaluation.is_stale(sources.stamp_files(path for path, _ in key[0]))
        }

    def cached(self, context: Context) -> Settings | None:
        """Return the settings of a caller's files at the last `look`; None while unknown, until `begin` has evaluated them."""
        key = _key(context)
        evaluation = self._evaluations.get(key)
        if evaluation is None or key in self._stale:
            self._wanted[key] = context
            return None
        return None if evaluation.child else evaluation.settings

    def begin(self) -> None:
        """Evaluate the settings that were requested and unknown."""
        wanted, self._wanted = self._wanted, {}
        for context in wanted.values():
            self.settings(context)

    def changed(self) -> bool:
        """Return whether files have changed since they were evaluated."""
        return any(e.is_stale(sources.stamp_files(path for path, _ in key[0])) for key, e in self._evaluations.items())

    @property
    def logs(self) -> LogSettings | None:
        """Return the log settings; if no file can be read, the defaults without rotation. None: unknown as yet."""
        if self.is_read:
            return self.latest.logs
        return KEEP_ALL if any(e.error and e.again_at is None for e in self._evaluations.values()) else None

    @property
    def unknown(self) -> bool:
        """Return whether the first answer is still pending."""
        return bool(self._evaluations) and all(e.child and not e.settings and not e.is_slow for e in self._evaluations.values())

    @property
    def problem(self) -> str | None:
        """Explain why some jobs can't start; None if there is no reason."""
        return next((found for e in self._evaluations.values() if (found := e.problem)), None)

    def problem_of(self, context: Context) -> str | None:
        """Explain why the jobs of a caller can't start; None if no reason is known."""
        evaluation = self._evaluations.get(_key(context))
        return None if evaluation is None else evaluation.problem

    def _begin(self, key: _Key, paths: tuple[str, ...], stamps: sources.FileStamps) -> _Evaluation:
        files, executable, root = key
        try:
            child = self._helpers.ask("configuration", executable, root, files, LONGEST_EVALUATION)
            return _Evaluation(paths, stamps, child)
        except OSError as error:
            problem = f"{executable} could not be started to read the configuration: {error.strerror}"
            return _Evaluation(paths, stamps, None, error=problem, again_at=time.monotonic() + PAUSE)

    def collect(self, ready: Iterable[int]) -> bool:
        """Take the children's answers; return whether there is news."""
        descriptors, news = set(ready), False
        for evaluation in self._evaluations.values():
            question = evaluation.child
            if question is None:
                continue
            if question.fileno() in descriptors:
                if question.is_done():
                    self._conclude(evaluation, question.answer() or {}, None, question.error_output)
                    news = True
            elif question.is_late:
                question.give_up()
                self._conclude(evaluation, {}, f"the configuration took more than {LONGEST_EVALUATION:.0f} s to read", "")
                news = True
        return news

    def _conclude(self, evaluation: _Evaluation, answer: dict[str, Any], problem: str | None, complaint: str) -> None:
        evaluation.child = None
        if "settings" in answer:
            evaluation.settings, evaluation.error = Settings.from_json(answer["settings"]), None
            self.latest, self.is_read = evaluation.settings, True
            return
        evaluation.settings = None
        evaluation.again_at = None if "error" in answer else time.monotonic() + PAUSE
        evaluation.error = (
            problem
            or answer.get("error")
            or f"the configuration can't be read: {complaint[-300:] or 'the process reading it ended without an answer'}"
        )
