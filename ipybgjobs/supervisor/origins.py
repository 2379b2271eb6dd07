"""Find out where the code of an attempt comes from, after its launch: in a child process, one at a time and rarely twice.

Attempts of the same interpreter and folder that start within a few seconds share an answer; each distinct answer is stored once.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..targets.context import Context
from .helpers import Helpers

if TYPE_CHECKING:
    from ..system.child import JsonChild

#: Seconds for which an answer is valid, and seconds that a child may take.
_FRESH, _LONGEST = 5.0, 60.0

_Key = tuple[str, str, tuple[str, ...], str]
_Attempt = tuple[int, int]


class Origins:
    """The open questions, and the answers that are still valid.

    Parameters
    ----------
    helpers : Helpers
        Starts the children that answer.
    """

    def __init__(self, helpers: Helpers) -> None:
        self._helpers = helpers
        self._wanted: dict[_Key, list[_Attempt]] = {}
        self._answers: dict[_Key, tuple[float, str]] = {}
        self._asked: tuple[_Key, JsonChild] | None = None

    @property
    def busy(self) -> bool:
        """Return whether a question is open."""
        return bool(self._wanted)

    def filenos(self) -> list[int]:
        """Return the descriptors that become readable when a child answers."""
        return [] if self._asked is None else [self._asked[1].fileno()]

    def want(self, attempt: _Attempt, context: Context, source: str | None) -> None:
        """Add a question about an attempt, given by its job's id and its number."""
        folder = context.cwd if source is None else os.path.dirname(source)
        key = (context.executable, context.package_root, context.path, folder)
        self._wanted.setdefault(key, []).append(attempt)

    def step(self) -> Iterable[tuple[str, list[_Attempt]]]:
        """Take an answer and ask the next question; return answers as JSON text, each with its attempts."""
        now = time.monotonic()
        if self._asked is not None and self._asked[1].is_late:
            self._answers[self._asked[0]] = (now, "")  # unknown
            self.close()
        elif self._asked is not None and self._asked[1].is_done():
            key, question = self._asked
            self._asked, answer = None, question.answer()
            self._answers = {known: held for known, held in self._answers.items() if held[0] > now - _FRESH}
            self._answers[key] = (now, "" if answer is None else json.dumps(answer, sort_keys=True))
        found = []
        for key in list(self._wanted):
            held = self._answers.get(key)
            if held is not None and held[0] > now - _FRESH:
                attempts = self._wanted.pop(key)
                found += [(held[1], attempts)] if held[1] else []
        if self._asked is None and self._wanted:
            self._ask(next(iter(self._wanted)))
        return found

    def close(self) -> None:
        """Stop asking."""
        if self._asked is not None:
            self._asked[1].give_up()
            self._asked = None

    def _ask(self, key: _Key) -> None:
        executable, root, path, folder = key
        with contextlib.suppress(OSError):
            question = {"path": path, "folder": folder}
            self._asked = (key, self._helpers.ask("origin", executable, root, question, _LONGEST))
            return
        self._answers[key] = (time.monotonic(), "")  # an interpreter that is gone: unknown
