"""A kernel that shows more than its worker can write waits for it, and for a worker that takes nothing it does not wait long."""

import contextlib
import json
import queue
import struct
import threading
import time

import pytest
from jupyter_client.manager import start_new_kernel

from ipybgjobs.notebooks import kernel_pacing
from ipybgjobs.notebooks.pacing import Pacing
from ipybgjobs.state import current_job
from support.place import DEADLINE, until

FLOOD = """
for i in range(60): print('x' * 1_000_000)
print([line for line in open('/proc/self/status') if 'VmHWM' in line][0].split()[1])
"""
DISPLAYS = """
from IPython.display import display
for i in range(60): display({'text/plain': 'x' * 1_000_000}, raw=True)
"""


@pytest.fixture
def kernel():
    manager, client = start_new_kernel()
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def begun(client):
    pacing = Pacing()
    request = client.execute(pacing.request(), silent=True, store_history=False)
    assert until(lambda: reply_to(client, request), "the reply")["content"]["status"] == "ok"
    until(lambda: is_end_of(client.get_iopub_msg(timeout=DEADLINE), request), "the end of the request")
    pacing.begun()
    return pacing


def reply_to(client, request):
    """The reply to a request, if it has come; those to what was asked while the kernel started are passed over."""
    while client.shell_channel.msg_ready():
        message = client.get_shell_msg(timeout=DEADLINE)
        if message["parent_header"].get("msg_id") == request:
            return message
    return None


def is_end_of(message, request):
    return message["content"].get("execution_state") == "idle" and message["parent_header"].get("msg_id") == request


@pytest.mark.parametrize("code", [FLOOD, DISPLAYS], ids=["text", "displays"])
def test_a_kernel_waits_for_a_worker_that_is_slower_and_all_it_shows_comes(kernel, code, monkeypatch):
    monkeypatch.setattr(current_job, "_most_output", 10_000_000)  # else IPython keeps all that was shown, for %notebook
    pacing = begun(kernel)
    request = kernel.execute(code)
    size, ended, last = 0, False, ""

    def take(timeout):
        nonlocal size, ended, last
        message = kernel.get_iopub_msg(timeout=timeout)
        content = message["content"]
        text = content.get("text", "") or content.get("data", {}).get("text/plain", "")
        size, last, ended = size + len(text), text or last, is_end_of(message, request)
        return int(message["header"]["msg_id"].rpartition("_")[2])

    number = -1
    with contextlib.suppress(queue.Empty):
        while not ended:
            number = take(timeout=3)  # and nobody says so
    assert not ended
    assert size < kernel_pacing.MOST + 4_000_000
    pacing.note(number)
    while not ended:
        pacing.note(take(timeout=DEADLINE))
    assert size >= 60_000_000
    if code is FLOOD:
        assert int(last.rsplit(maxsplit=1)[-1]) < 220_000  # kB


def test_a_kernel_s_silent_request_binds_no_name(kernel):
    begun(kernel)
    kernel.execute("print(sorted(name for name in globals() if not name.startswith('_')))")
    found = until(lambda: kernel.get_iopub_msg(timeout=DEADLINE)["content"].get("text"), "the names")
    assert found == "['In', 'Out', 'exit', 'get_ipython', 'open', 'quit']\n"


class Thread:
    """What inkernel needs of ipykernel's thread."""

    def __init__(self):
        self.thread = threading.Thread()


def test_nobody_waits_long_for_a_worker_that_takes_nothing(monkeypatch):
    monkeypatch.setattr(kernel_pacing, "PATIENCE", 0.2)
    throttle = kernel_pacing.OutputThrottle(Thread(), None, bytearray(struct.pack(kernel_pacing.NUMBER, -1)))
    send = throttle.sender(lambda message: None)
    began = time.monotonic()
    for number in range(2):
        send([b"<IDS|MSG>", b"", json.dumps({"msg_id": f"a_{number}"}).encode(), b"x" * kernel_pacing.MOST])
    assert 0.2 < time.monotonic() - began < 5
