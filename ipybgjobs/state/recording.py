"""`record`: values that a job records while it runs, so that jobs can be compared by them; the latest of each name counts.

They are written to the attempt folder at most a few times a second. In the kernel of a notebook that runs as a job, they are
sent to its worker. Outside a job nothing is recorded.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any

from ..model import scalars
from ..model.scalars import Scalar
from . import attempt, current_job
from .throttled_file import ThrottledFile

#: The attribute of a kernel's object that sends values to the worker whose notebook it runs.
OF_KERNEL = "ipybgjobs_record"


class Recorder:
    """The values of one attempt; used by any thread of the job's process, but by no fork of it.

    Parameters
    ----------
    folder : str
        The attempt folder.
    """

    def __init__(self, folder: str) -> None:
        self._values: dict[str, Scalar] = {}
        self._file = ThrottledFile(folder, attempt.VALUES, lambda: _shown(self._values))

    def take(self, values: Mapping[str, Scalar]) -> None:
        """Record values, and write them now if it is time, or else a little later.

        Raises
        ------
        ValueError
            If the job would record too many.
        """
        if not self._file.is_own():
            return
        with self._file.lock:
            self._file.pending = True
            found = {**self._values, **values}
            if len(found) > scalars.MOST:
                raise ValueError(f"A job records at most {scalars.MOST} values, each under its own name.")
            self._values = found
        self._file.write_soon()

    def flush(self) -> None:
        """Write what was recorded since the last write."""
        self._file.flush()


def _shown(values: dict[str, Scalar]) -> dict[str, Scalar]:
    """Return the values to write, with secrets blanked in texts."""
    if not any(isinstance(value, str) for value in values.values()):
        return dict(values)
    from ..model import redaction  # only where text is shown

    secret = redaction.secret_names(values, current_job.secret_names())
    return redaction.shown_scalars(values, secret, current_job.hidden())


_recorder: Recorder | None = None


def record(**values: Any) -> None:
    """Record values of the running job, such as a metric, so that jobs can be compared; outside a job nothing happens.

    The latest value of each name is in `Job.values`, also while the job runs, in the panel, and as ``values.NAME`` in
    `to_frame`. Those of the job's last attempt count.

    Parameters
    ----------
    **values : bool, int, float or str
        Up to 200 names; one value of numpy, torch and the like is taken as a number. Texts are cut to 1,000 characters.

    Raises
    ------
    TypeError
        If a value is not one number, text or boolean.
    ValueError
        If the job has recorded 200 names already, or one is too long.

    Examples
    --------
    >>> for epoch in range(3):
    ...     ipybgjobs.record(epoch=epoch, auc=0.9)
    """
    take_checked(checked(values))


def checked(values: Mapping[str, Any]) -> dict[str, Scalar]:
    """Return values as plain ones.

    Raises
    ------
    TypeError
        If one is not one number, text or boolean.
    ValueError
        If a name is too long.
    """
    found = {}
    for name, value in values.items():
        plain = scalars.plain(value)
        if plain is None:
            raise TypeError(f"record takes numbers, texts and booleans; {name} is of type {type(value).__name__}.")
        if not 0 < len(name) <= scalars.LONGEST_NAME:
            raise ValueError(f"A name of a recorded value has 1 to {scalars.LONGEST_NAME} characters; one has {len(name)}.")
        found[name] = plain
    return found


def take_checked(values: dict[str, Scalar]) -> None:
    """Record plain values in this process's job, or in the one whose notebook this kernel runs; else do nothing.

    Raises
    ------
    ValueError
        If the job would record too many.
    """
    global _recorder  # noqa: PLW0603 - one attempt a process
    job = current_job.current_job()
    if job is None:
        send = _sender_of_kernel()
        if send is not None:
            send(values)
        return
    if not current_job.is_in_its_process():
        return
    if _recorder is None:
        _recorder = Recorder(job.folder)
        current_job.at_end(_recorder.flush)
    _recorder.take(values)


def _sender_of_kernel() -> Callable[[dict[str, Scalar]], None] | None:
    """Return what sends values to the worker whose notebook this process runs; None in any other process."""
    if "IPython" not in sys.modules:
        return None
    from IPython.core.getipython import get_ipython

    return getattr(getattr(get_ipython(), "kernel", None), OF_KERNEL, None)
