"""A short-lived child that answers a question in JSON; the caller never waits for it.

The answer arrives on its own descriptor, whose number is the child's last argument. Text that the user's start-up hooks and
files print is not part of it: it goes, with the errors, to an unnamed file, which is read only if there is no answer.
"""

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import IO, Any

from ..model import json_text
from . import launch

#: Number of last bytes that are kept of a child's output.
_LONGEST_ERROR_OUTPUT = 4000


class JsonChild:
    """One child.

    Parameters
    ----------
    command : sequence of str
        Command to run; the number of the descriptor for the answer is appended.
    question : object
        Its standard input, as JSON.
    longest : float
        Seconds after which it is abandoned.
    run : callable, optional
        What a fork of this process may do instead of the command, with the descriptor for the answer. Only for a caller whose
        process has one interpreter with the command, and has loaded nothing that is installed otherwise by now.

    Raises
    ------
    OSError
        If it can't be started.
    """

    def __init__(self, command: Sequence[str], question: Any, longest: float, run: Callable[[int], None] | None = None) -> None:
        import tempfile  # here, since it loads all compressions

        self.began = time.monotonic()  #: on the monotonic clock
        self.limit = self.began + longest  #: when it is abandoned, on the monotonic clock
        self.error_output = ""  #: the end of its output, once it has been released
        self._answer = b""
        self._reading, writing = os.pipe()
        os.set_blocking(self._reading, False)
        try:
            self._printed: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the answer
            with tempfile.TemporaryFile() as asked:  # a file, since writing to a pipe without a reader would block
                asked.write(json.dumps(question).encode())
                asked.seek(0)
                streams = asked.fileno(), self._printed.fileno(), self._printed.fileno()
                words = [*command, str(writing)]
                self._process = launch.child(words, streams, writing, None if run is None else lambda: run(writing))
        except BaseException:
            os.close(self._reading)
            raise
        finally:
            os.close(writing)

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when a part of the answer arrives."""
        return self._reading

    @property
    def is_late(self) -> bool:
        """Return whether it has exceeded its time limit."""
        return time.monotonic() > self.limit

    def is_done(self) -> bool:
        """Read what has arrived; return whether the answer is complete."""
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._reading, 1 << 16):
                self._answer += chunk
            return True
        return False

    def give_up(self) -> None:
        """Kill the child with everything that it may have started; its answer is no longer needed."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self.answer()

    def answer(self) -> dict[str, Any] | None:
        """Release the child, and return its answer; None if that is not JSON."""
        os.close(self._reading)
        self._process.wait()
        with self._printed as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LONGEST_ERROR_OUTPUT))
            self.error_output = file.read().decode(errors="replace").strip()
        try:
            value = json_text.parse(self._answer)
        except ValueError:
            return None
        return value if isinstance(value, dict) else None


def reply(descriptor: int, answer: Any) -> None:
    """Send the answer as JSON, from the child."""
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(answer, file)
