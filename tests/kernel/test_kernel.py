"""What outlives a real kernel and a real Jupyter server, and what a job's processes share with them: nothing."""

import contextlib
import os
import re
import signal
import time
from pathlib import Path

import pytest

import ipybgjobs as bg
from support.jobs import module_text
from support.kernels import gone
from support.place import DEADLINE, running, until

SUBMIT = "%load_ext ipybgjobs\njob = %bgjob clocks.Clock.tick enough=enough --name clock"


def ours(place):
    """Supervisor, fork server and workers; not the short-lived children that are asked something."""
    roles = (" supervisor ", " forkserver ", " worker ")
    return {pid: line for pid, line in place.processes().items() if any(f"start.py{role}" in line for role in roles)}


def settled(place):
    """The same, once there is but one supervisor: whoever finds no supervisor starts one, and the lock decides."""

    def found():
        seen = ours(place)
        return sum(" supervisor " in line for line in seen.values()) == 1 and seen == ours(place) and seen

    return until(found, "the one supervisor")


def ticks_on(job):
    """Wait until the job has ticked on for a while."""
    before = job.log().count("tick")
    until(lambda: job.log().count("tick") >= before + 15, f"job {job.id} ticking on ({job.status})")


def ends_as_it_began(clocks, kernel):
    """In a new kernel there is the result of the one process that ran from the start, and its log."""
    (clocks.code / "enough").touch()
    kernel.ok("%load_ext ipybgjobs\nimport ipybgjobs as bg\njob = bg.job('clock')")
    result = kernel.value("job.result(60)")
    first, *others = kernel.value("job.log()").split()
    assert int(first) == result
    assert set(others) == {"tick"}
    assert kernel.value("[(each.number, each.outcome) for each in job.attempts]") == [(1, "succeeded")]


# -- what happens to a kernel --------------------------------------------------------------------------------------------


def interrupt_the_waiting_cell(kernel):
    def interrupt(message):
        if message["content"].get("text", "").startswith("waiting"):
            kernel.manager.interrupt_kernel()

    code = "print('waiting', flush=True)\njob.wait()"
    answer = kernel.client.execute_interactive(code, timeout=DEADLINE, output_hook=interrupt)
    assert answer["content"]["ename"] == "KeyboardInterrupt"


def kill(kernel):
    os.kill(kernel.pid, signal.SIGKILL)
    until(lambda: not kernel.manager.is_alive(), "the kernel's death")


def kill_and_sweep(kernel):
    """As the server's restarter does: what the dead kernel left in its process group is killed."""
    kill(kernel)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(kernel.pid, signal.SIGKILL)


EVENTS = {
    "an interrupt": lambda kernel: kernel.manager.interrupt_kernel(),
    "an interrupt of the cell that waits for it": interrupt_the_waiting_cell,
    "a restart": lambda kernel: kernel.manager.restart_kernel(),
    "a restart at once": lambda kernel: kernel.manager.restart_kernel(now=True),
    "a shutdown": lambda kernel: kernel.manager.shutdown_kernel(),
    "a shutdown at once": lambda kernel: kernel.manager.shutdown_kernel(now=True),
    "SIGKILL": kill,
    "SIGKILL and the end of its process group": kill_and_sweep,
}


@pytest.mark.parametrize("event", EVENTS)
def test_a_job_goes_on_when_its_kernel_meets(clocks, kernels, event):
    kernel = kernels()
    kernel.ok(SUBMIT)
    job = running(bg.job("clock"))
    before = settled(clocks)
    EVENTS[event](kernel)
    ticks_on(job)
    until(lambda: ours(clocks) == before, "the same processes as before")
    ends_as_it_began(clocks, kernels())


def test_a_restarted_kernel_submits_again(clocks, kernels):
    kernel = kernels()
    kernel.ok(SUBMIT)
    running(bg.job("clock"))
    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(timeout=DEADLINE)
    kernel.ok(SUBMIT)
    assert len(bg.jobs(name="clock", state="running")) >= 1
    (clocks.code / "enough").touch()
    assert kernel.value("job.result(60) > 0")


# -- what a job's processes share with the kernel ------------------------------------------------------------------------


def status(pid):
    """Parent, process group and session of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return tuple(map(int, fields[1:4]))


def ancestors(pid):
    while pid > 1:
        pid = status(pid)[0]
        yield pid


def channels(pid):
    """Pipes and sockets that a process holds."""
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(os.readlink(descriptor))
    return {name for name in found if name.startswith(("pipe:", "socket:"))}


def children(pid):
    """Every child, zombies too."""
    found = []
    for other in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if status(other)[0] == pid:
                found.append(Path(f"/proc/{other}/cmdline").read_text() or f"zombie {other}")
    return found


def test_a_job_s_processes_share_nothing_with_the_kernel(clocks, kernels):
    kernel = kernels()
    kernel.ok(SUBMIT)
    assert children(kernel.pid) == []
    job = running(bg.job("clock"))
    _, group, session = status(kernel.pid)

    def three():
        """Supervisor, fork server and worker; what is asked for a moment, a fork of the supervisor, has ended."""
        found = {pid: line for pid, line in clocks.processes().items() if pid != kernel.pid}
        return found if found == ours(clocks) and len(found) == 3 else None

    others = until(three, "the three processes of the job")
    assert int(job.log().split()[0]) in others
    assert len(channels(kernel.pid)) > 2
    for pid, line in others.items():
        assert status(pid)[1] != group, line
        assert status(pid)[2] != session, line
        assert kernel.pid not in ancestors(pid), line
        assert not channels(pid) & channels(kernel.pid), line
        assert not re.search("pipe|socket|pts", os.readlink(f"/proc/{pid}/fd/0")), line


def test_a_look_at_an_edited_module_leaves_the_kernel_without_children(clocks, kernels):
    kernel = kernels()
    kernel.ok(SUBMIT)
    clocks.module("clocks", module_text("clocks").replace("enough: str", "enough: str, loud: bool = False"))
    kernel.ok("%bgjob clocks.Clock.tick enough=enough loud=True")
    assert children(kernel.pid) == []


def seconds_to_shut_down(kernel):
    started = time.monotonic()
    kernel.manager.shutdown_kernel()
    return time.monotonic() - started


def test_a_kernel_with_running_jobs_shuts_down_as_fast_as_one_without(clocks, kernels):
    idle, busy = kernels(), kernels()
    busy.ok(f"{SUBMIT}\nfor _ in range(9):\n    %bgjob clocks.Clock.tick enough=enough")
    until(lambda: len(bg.jobs(state="running")) == 10, "ten running jobs")
    floor = seconds_to_shut_down(idle)
    assert seconds_to_shut_down(busy) < floor + 1.5  # a child that nobody waits for costs 2.4
    assert len(bg.jobs(state="running")) == 10


@pytest.mark.parametrize("way", ["fork", "fresh process"])
def test_a_job_from_a_thread_of_an_idle_kernel_can_be_interrupted(clocks, kernels, way):
    kernel = kernels()
    waiting = bg.submit("clocks.Clock.tick", {"enough": str(clocks.code)}, delay="1h")  # keeps its supervisor
    until(clocks.supervisor_pid, "a supervisor")
    if way == "fresh process":  # which was started with other variables, so it can't fork for this kernel
        kernel.ok("import os\nos.environ['LC_IDENTIFICATION'] = 'C'")
    kernel.ok(f"""
import signal, threading, time, ipybgjobs as bg

def later():
    while signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        time.sleep(0.001)
    bg.submit("clocks.hold", {{"path": {str(clocks.root / "clean")!r}}}, name="held")

threading.Thread(target=later).start()
""")
    until(lambda: bg.jobs(name="held"), "the thread's submit")
    job = running(bg.job("held"))
    job.cancel(grace=20)
    assert job.log().startswith("holding\ninterrupted\n")
    assert (clocks.root / "clean").exists()
    assert [(each.outcome, each.launched_by) for each in job.attempts] == [("cancelled", way)]
    waiting.cancel()


# -- what happens to a server --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_job_goes_on_when_its_server_gets(clocks, server, kernels, number):
    _, session = server.kernel()
    session.ok(SUBMIT)
    kernel_pid = session.value("__import__('os').getpid()")
    job = running(bg.job("clock"))
    before = settled(clocks)
    server.process.send_signal(number)
    server.process.wait(DEADLINE)
    until(lambda: gone(kernel_pid), "the end of the server's kernel")
    ticks_on(job)
    until(lambda: ours(clocks) == before, "the same processes as before")
    session.client.stop_channels()
    ends_as_it_began(clocks, kernels())


def test_a_job_goes_on_when_the_server_restarts_and_deletes_its_kernel(clocks, server, kernels):
    name, session = server.kernel()
    session.ok(SUBMIT)
    first = session.value("__import__('os').getpid()")
    job = running(bg.job("clock"))
    before = settled(clocks)
    os.kill(first, signal.SIGKILL)
    second = until(lambda: [pid for pid, line in clocks.processes().items() if name in line and pid != first], "the auto-restart")
    ticks_on(job)
    session.client.stop_channels()
    server.ask("DELETE", f"api/kernels/{name}")
    until(lambda: gone(second[0]), "the end of the restarted kernel")
    ticks_on(job)
    until(lambda: ours(clocks) == before, "the same processes as before")
    ends_as_it_began(clocks, kernels())
