"""A short-lived child that is asked something and answers in JSON; whoever asks never waits for it.

The answer comes on a descriptor of its own, whose number is the child's last argument. What start-up hooks and files of the user
print is no answer: it goes, with the errors, into a file without a name, and is looked at only where there is no answer.
"""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from typing import IO, Any

from .. import jsontext
from .launch import lean_environment

#: Bytes that are kept of what a child printed: the last ones.
_LONGEST_COMPLAINT = 4000


class Question:
    """One child.

    Parameters
    ----------
    command : sequence of str
        What to run; the number of the descriptor for the answer is appended.
    question : object
        Its standard input, as JSON.
    longest : float
        Seconds after which it is given up.

    Raises
    ------
    OSError
        If it can't be started.
    """

    def __init__(self, command: Sequence[str], question: Any, longest: float) -> None:
        self.began = time.monotonic()  #: on the monotonic clock
        self.limit = self.began + longest  #: when it is given up, on the monotonic clock
        self.complaint = ""  #: what it printed last, once it was let go
        self._answer = b""
        self._reading, writing = os.pipe()
        os.set_blocking(self._reading, False)
        try:
            self._printed: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the answer
            self._process = _asked([*command, str(writing)], question, self._printed, writing)
        except BaseException:
            os.close(self._reading)
            raise
        finally:
            os.close(writing)

    def fileno(self) -> int:
        """The descriptor that becomes readable when there is something of the answer."""
        return self._reading

    @property
    def is_late(self) -> bool:
        """Return whether it has taken longer than it may."""
        return time.monotonic() > self.limit

    def is_over(self) -> bool:
        """Take what has come; whether that was all."""
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._reading, 1 << 16):
                self._answer += chunk
            return True
        return False

    def give_up(self) -> None:
        """End the child, with what it may have started; nobody wants its answer any more."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self.answer()

    def answer(self) -> dict[str, Any] | None:
        """Let the child go, and return what it said; None where that is no JSON."""
        os.close(self._reading)
        self._process.wait()
        with self._printed as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LONGEST_COMPLAINT))
            self.complaint = file.read().decode(errors="replace").strip()
        try:
            value = jsontext.parse(self._answer)
        except ValueError:
            return None
        return value if isinstance(value, dict) else None


def _asked(command: Sequence[str], question: Any, printed: IO[bytes], answer: int) -> "subprocess.Popen[bytes]":
    """Start the child; the question is in a file, since a pipe that nobody reads would make us wait."""
    with tempfile.TemporaryFile() as file:
        file.write(json.dumps(question).encode())
        file.seek(0)
        return subprocess.Popen(
            command,
            stdin=file,
            stdout=printed,
            stderr=printed,
            env=lean_environment(os.environ),
            cwd="/",
            pass_fds=[answer],
            start_new_session=True,
        )


def reply(descriptor: int, answer: Any) -> None:
    """In the child: answer, in JSON."""
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(answer, file)
