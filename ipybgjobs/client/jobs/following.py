"""Follow the output of a job live: driven by file notifications, across attempts, until the job has finished."""

import codecs
import contextlib
from collections.abc import Iterator

from ...model.records import Attempt
from ...state.text_log import TextLog
from ...system.watch import FolderWatch
from .view import JobView

#: Seconds between two checks of the job itself while its log is silent: it may have finished, or be waiting for a retry.
_LOOK = 0.5

_CHUNK = 1 << 16


def follow(job: JobView) -> Iterator[str]:
    """Yield what a job prints, from its beginning, until it has finished; a new attempt is announced.

    Parameters
    ----------
    job : JobView
        The job.
    """
    followed: set[tuple[int, str | None]] = set()  # a voided launch is followed by another with the same number
    while True:
        ended = job.state.ended
        attempts = [each for each in job.attempts if each.folder]
        new = [each for each in attempts if (each.number, each.folder) not in followed]
        for each in new:
            if each.number > 1:
                yield f"--- attempt {each.number} ---\n"
            yield from _follow_attempt(job, each)
            followed.add((each.number, each.folder))
        if ended and not new:
            return
        with contextlib.suppress(OSError), contextlib.closing(FolderWatch(job.state_folder.path)) as watch:
            watch.wait(_LOOK)  # the store's write-ahead log is in this folder


def _follow_attempt(job: JobView, one: Attempt) -> Iterator[str]:
    folder = job.state_folder.attempt(one.folder or "")
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    position = 0
    with contextlib.closing(FolderWatch(folder)) as watch:
        while True:
            over = _is_over(job, one)  # checked before the log is read to its end
            content, position = TextLog(folder).piece(position, _CHUNK)
            text = decoder.decode(content, final=over and not content)
            if text:
                yield text
            elif over and not content:
                return
            elif not content:
                watch.wait(_LOOK)


def _is_over(job: JobView, one: Attempt) -> bool:
    return any(each.number == one.number and (each.outcome is not None or each.folder != one.folder) for each in job.attempts)
