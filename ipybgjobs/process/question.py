"""A short-lived child that is asked something and answers in JSON; whoever asks never waits for it."""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Sequence
from typing import Any

from .launch import lean_environment


class Question:
    """One child.

    Parameters
    ----------
    command : sequence of str
        What to run.
    question : object
        Written to its standard input as JSON.
    longest : float
        Seconds after which it is given up.

    Raises
    ------
    OSError
        If it can't be started.
    """

    def __init__(self, command: Sequence[str], question: Any, longest: float) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=lean_environment(os.environ),
            cwd="/",
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.limit = time.monotonic() + longest  #: when it is given up, on the monotonic clock
        self.complaint = ""  #: what it said on standard error, once it was let go
        self._output = b""
        with contextlib.suppress(BrokenPipeError), self._process.stdin as file:
            file.write(json.dumps(question).encode())
        os.set_blocking(self._process.stdout.fileno(), False)

    def fileno(self) -> int:
        """The descriptor that becomes readable when there is something of the answer."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    @property
    def is_late(self) -> bool:
        """Whether it has taken longer than it may."""
        return time.monotonic() > self.limit

    def is_over(self) -> bool:
        """Take what has come; whether that was all."""
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self.fileno(), 1 << 16):
                self._output += chunk
            return True
        return False

    def give_up(self) -> None:
        """End the child; nobody wants its answer any more."""
        self._process.kill()
        self.answer()

    def answer(self) -> dict[str, Any] | None:
        """Let the child go, and return what it said; None where that is no JSON."""
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._process.stdout.close()
        self._process.wait()
        os.set_blocking(self._process.stderr.fileno(), False)
        self.complaint = (self._process.stderr.read() or b"").decode(errors="replace").strip()
        self._process.stderr.close()
        try:
            value = json.loads(self._output)
        except ValueError:
            return None
        return value if isinstance(value, dict) else None
