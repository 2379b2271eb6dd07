"""Configure a notebook's kernel before its first cell: it must drop no message, and not run ahead of the receiving worker.

This source is sent to the kernel, whose environment may lack this package and have another Python: it imports nothing
of this package, and binds no names in the notebook.
"""

import collections
import json
import mmap
import os
import struct
import threading
import time
from typing import Any

#: Bytes sent by a kernel and not yet received by the worker, beyond which printing and displaying code waits.
MOST = 16 << 20

#: Number of characters that may be printed before they are sent.
PIECE = 1 << 20

#: Seconds without progress of the worker after which the kernel stops waiting for it.
PATIENCE = 10.0

#: Format of the number of the newest received message in the file.
NUMBER = "<q"


def begin(kernel: Any, path: str, most: Any) -> None:
    """Configure a kernel of ipykernel.

    Parameters
    ----------
    kernel : Kernel
        The kernel's object.
    path : str
        The file in which the worker records the last message that it received.
    most : int or None
        Bytes of output that the kernel itself remembers; None: no limit.
    """
    import zmq

    thread = kernel.iopub_thread
    thread.schedule(lambda: thread.socket.setsockopt(zmq.SNDHWM, 0))  # by default, messages beyond 1,000 are dropped
    with open(path, "rb") as file:
        taken = mmap.mmap(file.fileno(), struct.calcsize(NUMBER), access=mmap.ACCESS_READ)
    import sys

    throttle = OutputThrottle(
        thread, getattr(kernel, "control_thread", None), taken, getattr(kernel.shell, "history_manager", None), most
    )
    thread.send_multipart = throttle.sender(thread.send_multipart)
    for stream in (sys.stdout, sys.stderr):
        stream._schedule_flush = throttle.flusher(stream, stream._schedule_flush)  # type: ignore[union-attr] # noqa: SLF001 - ipykernel's


class OutputThrottle:
    """Makes code that prints and displays wait for the worker.

    Parameters
    ----------
    thread : IOPubThread
        The thread that sends; it never waits.
    control : Thread or None
        The thread that answers the worker; it never waits either.
    taken : mmap
        The number of the newest message that the worker has received.
    history : HistoryManager or None
        IPython's own record of outputs.
    most : int or None
        Bytes of that record; None: no limit.
    """

    def __init__(self, thread: Any, control: Any, taken: Any, history: Any = None, most: Any = None) -> None:
        self._spared = (thread.thread, control)
        self._history = history
        self._most = most
        self._shown = 0
        self._taken = taken
        self._pid = os.getpid()
        self._stem = None
        self._lock = threading.Lock()
        self._ahead: Any = collections.deque()  # number and size of each message that was sent and not yet received
        self._size = 0

    def sender(self, send: Any) -> Any:
        """Return a function that sends messages, and waits if too many are pending."""

        def send_multipart(message: Any, *args: Any, **options: Any) -> None:
            if os.getpid() == self._pid:
                self._note(message)
            send(message, *args, **options)
            self._wait()

        return send_multipart

    def flusher(self, stream: Any, schedule: Any) -> Any:
        """Return a function that schedules sending a stream after printing: at once if much was printed."""

        def schedule_flush() -> None:
            schedule()
            with stream._buffer_lock:  # noqa: SLF001 - ipykernel's
                waiting = sum(buffer.tell() for buffer in stream._buffers.values())  # noqa: SLF001 - ipykernel's
            if waiting > PIECE and not self._is_spared():
                stream.flush()
                self._wait()

        return schedule_flush

    def _is_spared(self) -> bool:
        return os.getpid() != self._pid or threading.current_thread() in self._spared

    def _note(self, message: Any) -> None:
        """Count a message that is sent; those of forks have their own numbers."""
        parts = list(message)
        header = json.loads(bytes(parts[parts.index(b"<IDS|MSG>") + 2]))
        stem, _, number = header["msg_id"].rpartition("_")
        with self._lock:
            self._stem = self._stem or stem
            if stem == self._stem and number.isdigit():
                size = sum(map(len, parts))
                self._ahead.append((int(number), size))
                self._size += size
                self._shown += size

    def _settle(self) -> int:
        """Forget received messages; return the number of the newest one."""
        newest: int = struct.unpack(NUMBER, self._taken[:])[0]
        with self._lock:
            while self._ahead and self._ahead[0][0] <= newest:
                self._size -= self._ahead.popleft()[1]
        return newest

    def _forget(self) -> None:
        """Keep IPython's record of outputs for ``%notebook`` within the limit; called in the thread that records."""
        if self._most is not None and self._shown > self._most and threading.current_thread() is threading.main_thread():
            self._shown = 0
            getattr(self._history, "outputs", {}).clear()

    def _wait(self) -> None:
        self._forget()
        if self._size <= MOST or self._is_spared():
            return
        newest, limit = self._settle(), time.monotonic() + PATIENCE
        while self._size > MOST and time.monotonic() < limit:
            time.sleep(0.002)
            before, newest = newest, self._settle()
            if newest != before:
                limit = time.monotonic() + PATIENCE
