"""Show a job's outputs live below the cell that submitted it: each output is its own display, updated while the job runs.

A thread of the kernel checks while the job is alive, and sends nothing if nothing has changed. It shows outputs in its own cell,
whatever other cells run meanwhile; they are saved with the notebook.
"""

import contextlib
import contextvars
import os
import threading
import time
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from ..client.jobs import attempt_folders
from ..client.jobs.job import Job
from ..errors import BackgroundJobError, UnknownJob
from ..model.records import JobState, Outcome
from ..state import attempt
from ..system import interrupt_shield

#: Seconds between two checks: the shortest, and the longest when nothing changes.
_SHORTEST, _LONGEST = 0.3, 2.0

#: Checks take at most one in this many parts of the time; but one is made after this many seconds.
_SHARE, _RAREST = 10, 10.0

#: Number of failed checks in a row after which it gives up.
_MISSES = 60

#: Largest number of characters of a text that are shown; the log has all of it.
_LONGEST_TEXT = 50_000

_Bundle = tuple[dict[str, Any], dict[str, Any]]

_EMPTY: _Bundle = ({"text/plain": ""}, {})


class LiveDisplay:
    """The outputs of one job below one cell.

    Parameters
    ----------
    job : Job
        The job.
    shell : InteractiveShell
        The kernel's shell; nothing is shown in a terminal, which can't update its output.
    """

    def __init__(self, job: Job, shell: InteractiveShell | None) -> None:
        self._job = job
        self._publisher = None if getattr(shell, "kernel", None) is None else shell.display_pub  # type: ignore[union-attr]
        self._shown: list[_Bundle] = []
        self._read: object = None  # the state of the files when they were read

    def start(self) -> None:
        """Show the outputs so far, and continue until the job has finished."""
        if self._publisher is None:
            return
        context = contextvars.copy_context()  # by which the kernel knows the cell
        name = f"ipybgjobs-display-{self._job.id}"
        interrupt_shield.run(threading.Thread(target=context.run, args=(self._follow,), name=name, daemon=True).start)

    def _follow(self) -> None:
        pause, misses, over = _SHORTEST, 0, False
        while not over and misses < _MISSES:
            began, changed = time.monotonic(), False
            try:
                over = self._job.state.ended  # read before the outputs
                changed, misses = self._refresh(last=over), 0
            except UnknownJob:
                return
            except (BackgroundJobError, OSError):
                over, misses = False, misses + 1  # for example, a full disk: checked again
            pause = _SHORTEST if changed else min(_LONGEST, pause * 1.2)
            if not over:
                time.sleep(max(pause, min(_RAREST, _SHARE * (time.monotonic() - began))))

    def _refresh(self, *, last: bool) -> bool:
        """Show what has changed; return whether anything has."""
        sign = self._sign()
        if sign == self._read and not last:
            return False
        self._read = sign
        bundles = [_bundle(output) for output in self._job.plain_outputs()]
        if last:
            bundles += _end(self._job)
        bundles += [_EMPTY] * (len(self._shown) - len(bundles))  # outputs that were shown and then cleared
        for number, bundle in enumerate(bundles):
            self._show(number, bundle)
        return True

    def _sign(self) -> object:
        """Return a value that changes when the job prints or displays something, or begins another attempt."""
        folder = attempt_folders.newest(self._job.state_folder, self._job.attempts)
        return folder, *(_size(f"{folder}/{name}") for name in (attempt.OUTPUT, attempt.OUTPUTS, attempt.OUTCOME))

    def _show(self, number: int, bundle: _Bundle) -> None:
        known = number < len(self._shown)
        if known and self._shown[number] == bundle:
            return
        self._shown[number : number + 1] = [bundle]
        data, metadata = bundle
        assert self._publisher is not None
        display_id = f"ipybgjobs-{self._job.uid}-{number}"
        self._publisher.publish(data, metadata, transient={"display_id": display_id}, update=known)


def _end(job: Job) -> list[_Bundle]:
    """Describe the end of a job that neither succeeded nor raised, since nothing else would show it here."""
    raised = job.attempts and job.attempts[-1].outcome is Outcome.ERROR
    if job.state is JobState.SUCCEEDED or raised:
        return []
    return [({"text/plain": f"job {job.id} {job.status}{f': {job.error}' if job.error else ''}"}, {})]


def _size(path: str) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        status = os.stat(path)
        return status.st_size, status.st_mtime_ns
    return None


def _bundle(output: Any) -> _Bundle:
    """Return an output as a MIME bundle that can be displayed and updated: text becomes plain text, all else is unchanged."""
    kind = output["output_type"]
    if kind == "stream":
        return {"text/plain": _tail(output["text"])}, {}
    if kind == "error":
        return {"text/plain": _tail("\n".join(output["traceback"]))}, {}
    return dict(output["data"]), dict(output["metadata"])


def _tail(text: str) -> str:
    text = text.removesuffix("\n")
    if len(text) <= _LONGEST_TEXT:
        return text
    begun, _, whole = text[-_LONGEST_TEXT:].partition("\n")
    return f"… (job.log() shows all of it)\n{whole or begun}"
