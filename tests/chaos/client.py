"""One client: submits what the plan says, asks, reads, and writes down what it was promised.

``python -m chaos.client FOLDER NUMBER QUOTA SEED``; it goes on where a life that was killed has stopped. Interrupts reach it only
within calls of ipybgjobs and pauses, so the harness itself is never cut short; what an interrupt says is written down too.
"""

import random
import signal
import sys
import time
import traceback
import types
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipybgjobs as bg

from .jobs import MODULE
from .place import QUEUES, Place
from .plan import Order, orders

#: A client with more jobs waiting than this submits no more for a while, as a person would.
_ENOUGH = 250

#: Jobs submitted between two looks at how many wait.
_LOOK_EVERY = 40

#: A call that takes longer is written down, in seconds.
_LONG = 0.1

#: What a client may be told without anything being wrong.
_REFUSALS = (
    bg.DuplicateJob,
    bg.InvalidRequest,
    bg.UnknownJob,
    bg.ResultNotKept,
    bg.JobFailed,
    TimeoutError,
)

#: Exit code of a client that met what no client should.
TROUBLED = 3


class Client:
    """One life of a client.

    Parameters
    ----------
    place : Place
        Where.
    number : int
        Which client it is.
    quota : int
        Jobs that it is to submit in all its lives.
    seed : int
        Of the run.
    """

    def __init__(self, place: Place, number: int, quota: int, seed: int) -> None:
        self._ledger = place.client(number)
        known = self._ledger.read()
        life = sum(event["what"] == "born" for event in known)
        self._left = quota - len({event["job"] for event in known if event["what"] == "accepted"})
        self._orders = orders(seed, number, life)
        self._draw = random.Random(f"{seed}/client {number}/life {life}/choice")
        self._mine: deque[int] = deque(maxlen=300)  # ids of the newest jobs
        self._until_look = _LOOK_EVERY
        self._ledger.write("born")

    def live(self) -> None:
        """Do what the plan says until the quota is used up."""
        self._attempt(Order("resume"), lambda: self._resume(None))
        while self._left > 0:
            order = next(self._orders)
            self._ledger.write("ordered", verb=order.verb, token=order.token)
            action = getattr(self, f"_{order.verb}")
            self._attempt(order, lambda: action(order))  # noqa: B023 - called at once
            self._until_look -= max(order.jobs, 1)
            if self._until_look <= 0:
                self._until_look = _LOOK_EVERY
                self._attempt(Order("wait"), self._let_them_work)
        self._ledger.write("finished")

    def _attempt(self, order: Order, action: Callable[[], Any]) -> None:
        """Do one thing, and write down whatever it raises."""
        began = time.time()
        try:
            action()
        except KeyboardInterrupt as interrupt:
            self._ledger.write("interrupted", verb=order.verb, token=order.token, said=str(interrupt))
        except _REFUSALS as refusal:
            self._ledger.write("refused", verb=order.verb, token=order.token, said=f"{type(refusal).__name__}: {refusal}")
        except Exception:
            self._ledger.write("trouble", verb=order.verb, token=order.token, said=traceback.format_exc())
            sys.exit(TROUBLED)  # as a person would restart a kernel that does not work any more
        if time.time() - began > _LONG:
            self._ledger.write("slow", verb=order.verb, began=began)

    # -- new jobs -------------------------------------------------------------------------------------------------

    def _submit(self, order: Order) -> None:
        job = _interruptible(lambda: bg.submit(f"{MODULE}.{order.target}", order.calls[0], **self._options(order)))
        self._accept(order.token, job)

    def _submit_many(self, order: Order) -> None:
        def submit() -> list[bg.Job]:
            return list(bg.submit_many(f"{MODULE}.{order.target}", order.calls, **self._options(order)).jobs)

        for job, call in zip(_interruptible(submit), order.calls, strict=True):
            self._accept(call["token"], job)

    def _accept(self, token: str, job: bg.Job) -> None:
        self._ledger.write("accepted", token=token, job=job.id, uid=job.uid)
        self._left -= job.id not in self._mine
        self._mine.append(job.id)

    def _options(self, order: Order) -> dict[str, Any]:
        options = dict(order.options)
        for name in ("after", "after_any"):
            if name in options:
                options[name] = list(self._mine)[-options[name] :]
        return options

    # -- requests -------------------------------------------------------------------------------------------------

    def _any_of(self, newest: int) -> int:
        """One of the newest jobs of this life."""
        if not self._mine:
            raise bg.UnknownJob("there is none yet")
        return self._draw.choice(list(self._mine)[-newest:])

    def _ask(self, verb: str, job_id: int, request: Callable[[], Any]) -> None:
        """Write down what is asked before and after, since a client may die between."""
        self._ledger.write("asking", verb=verb, job=job_id)
        _interruptible(request)
        self._ledger.write("answered", verb=verb, job=job_id)

    def _cancel(self, _: Order) -> None:
        job_id = self._any_of(30)
        self._ask("cancel", job_id, lambda: bg.job(job_id).cancel())
        state = _interruptible(lambda: bg.job(job_id).state)
        self._ledger.write("told", job=job_id, state=str(state))

    def _retry(self, _: Order) -> None:
        ended = _interruptible(lambda: [*bg.jobs("failed", limit=30), *bg.jobs("cancelled", limit=10)])
        if ended:
            job = self._draw.choice(ended)
            self._ask("retry", job.id, job.retry)

    def _remove(self, _: Order) -> None:
        job_id = self._any_of(300)
        self._ask("remove", job_id, lambda: bg.job(job_id).remove())

    def _pause(self, _: Order) -> None:
        queue = self._draw.choice(tuple(QUEUES))
        self._ask("pause", 0, lambda: bg.pause(queue))
        _interruptible(lambda: time.sleep(0.2))
        self._resume(queue)

    def _resume(self, queue: str | None) -> None:
        self._ask("resume", 0, lambda: bg.resume(queue))

    def _priority(self, _: Order) -> None:
        job_id = self._any_of(30)
        self._ask("priority", job_id, lambda: bg.job(job_id).set_priority(self._draw.randint(-9, 9)))

    # -- looks ----------------------------------------------------------------------------------------------------

    def _look(self, _: Order) -> None:
        job = _interruptible(lambda: bg.job(self._any_of(100)))
        _interruptible(lambda: (job.state, job.status, job.progress, job.attempts, job.log(tail=5), repr(job)))

    def _result(self, _: Order) -> None:
        job = _interruptible(lambda: bg.job(self._any_of(10)))
        _interruptible(lambda: job.exception(timeout=1.0) or job.result())

    def _list(self, _: Order) -> None:
        _interruptible(lambda: repr(bg.jobs(limit=100)))

    def _let_them_work(self) -> None:
        """Wait while enough jobs wait."""
        while _interruptible(lambda: len(bg.jobs("queued", limit=_ENOUGH))) >= _ENOUGH:
            _interruptible(lambda: time.sleep(0.1))


def _interruptible(action: Callable[[], Any]) -> Any:
    """Call with interrupts let through, as they are to any user's process."""
    return action()


def _on_interrupt(number: int, frame: types.FrameType | None) -> None:
    """Raise as Python does, wherever within an interruptible call; the harness itself is not cut short.

    What is looked at is the frame, not a mark that is set and taken away: an interrupt could fall between.
    """
    innermost = frame
    while frame is not None and frame.f_globals is not globals():
        frame = frame.f_back
    called = frame is not None and frame.f_back is not None and frame.f_back.f_code is _interruptible.__code__
    within = frame is not None and frame.f_code is _interruptible.__code__ and frame is not innermost
    if called or within:
        signal.default_int_handler(number, innermost)


def main() -> None:
    """Live once."""
    signal.signal(signal.SIGINT, _on_interrupt)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # whoever started this has blocked it until here
    root, number, quota, seed = sys.argv[1:]
    try:
        Client(Place(Path(root)), int(number), int(quota), int(seed)).live()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the interpreter ends in peace


if __name__ == "__main__":
    main()
