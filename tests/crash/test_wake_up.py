"""A supervisor that ends when idle, or dies, as somebody submits: the job is started by it or the next."""

import signal
import sqlite3
import time

import pytest

import ipybgjobs as bg
from ipybgjobs.state import wake as waking
from ipybgjobs.state.folder import StateFolder
from ipybgjobs.system import wakeup
from support.driver import driven, script
from support.joints import allow, ran, release
from support.place import DEADLINE, until
from support.processes import kill_helpers, of_role, stopped, wake
from support.rows import ended, open_store, rows

_IDLE_END = {
    "before it closes its wake-up": "before(WakeupListener, 'close', stop)",
    "when it has closed its wake-up": "after(WakeupListener, 'close', stop)",
    "when it has looked at the store for the last time": "before(loop.Supervisor, 'close', stop)",
    "when its fork server has gone": "after(loop.Supervisor, 'close', stop)",
}


@pytest.mark.parametrize(
    ("boundary", "then"),
    [*((boundary, signal.SIGCONT) for boundary in _IDLE_END), *((boundary, signal.SIGKILL) for boundary in list(_IDLE_END)[:3])],
)
def test_a_job_submitted_at_the_end_of_the_idle_time_runs(joints, boundary, then):
    supervisor = driven(joints, _IDLE_END[boundary])
    bg.submit("joints.note", {"name": "first"})
    until(lambda: stopped(supervisor.pid), "the end of the idle time")
    assert ended(joints, 1)
    bg.submit("joints.note", {"name": "second"})
    supervisor.send_signal(then)
    until(lambda: ended(joints, 2), "the second job's end")
    assert ran(joints, "second") == 1
    until(lambda: supervisor.poll() is not None, "the first supervisor's end")


_SUBMIT_AND_LOOK = """
import random, sys, time
import ipybgjobs as bg
draw = random.Random(int(sys.argv[1]))
for number in range(int(sys.argv[2])):
    job = bg.submit("joints.note", {"name": f"{sys.argv[1]}.{number}"})
    limit = time.monotonic() + 20
    while job.state != "succeeded":        # not wait(), which looks for a supervisor
        if time.monotonic() > limit:
            sys.exit(f"job {job.id} is {job.state}: the wake-up was lost")
        time.sleep(0.002)
    time.sleep(draw.uniform(0.03, 0.09))   # about when the supervisor ends
"""


def test_submits_at_the_end_of_very_short_idle_times_are_never_lost(joints):
    allow(joints, BackgroundJobs__idle_seconds=0.05)
    clients = [script(joints, _SUBMIT_AND_LOOK, seed, 8) for seed in (1, 2, 3)]
    for client in clients:
        _, complaint = client.communicate(timeout=DEADLINE * 2)
        assert client.returncode == 0, complaint
    assert rows(joints, "SELECT state, count(*) FROM jobs GROUP BY state") == [("succeeded", 24)]
    assert all(ran(joints, f"{seed}.{number}") == 1 for seed in (1, 2, 3) for number in range(8))


_SUBMIT_AT_ONCE = """
import os, sys, time
import ipybgjobs as bg
open(sys.argv[1] + "/ready." + sys.argv[2], "w").close()
while not os.path.exists(sys.argv[1] + "/go"):
    time.sleep(0.001)
for number in range(3):
    bg.submit("joints.note", {"name": f"{sys.argv[2]}.{number}"})
"""


def test_ten_scripts_at_a_cold_start_get_one_supervisor_and_all_their_jobs(joints):
    allow(joints, BackgroundJobs__idle_seconds=300.0)
    clients = [script(joints, _SUBMIT_AT_ONCE, joints.root, number) for number in range(10)]
    until(lambda: len(list(joints.root.glob("ready.*"))) == 10, "ten scripts")
    (joints.root / "go").touch()
    for client in clients:
        _, complaint = client.communicate(timeout=DEADLINE)
        assert client.returncode == 0, complaint
    until(lambda: rows(joints, "SELECT count(*) FROM jobs WHERE state = 'succeeded'") == [(30,)], "all jobs")
    assert all(ran(joints, f"{client}.{number}") == 1 for client in range(10) for number in range(3))
    assert len(of_role(joints, "supervisor")) == 1
    kill_helpers(joints)


def test_one_who_comes_late_to_start_a_supervisor_leaves_it_to_the_one_that_listens(joints):
    """Its hint found nobody, then a supervisor began to listen and gave its turn away."""
    job = bg.submit("joints.hold", {"name": "first"})
    until(lambda: job.state == "running", "the job")
    waking.start(StateFolder(str(joints.state)))
    try:
        # A child that is being started bears its parent's command line for a moment; a second supervisor would stay.
        until(lambda: len(of_role(joints, "supervisor")) == 1, "one supervisor")
    finally:
        release(joints)
    job.wait(DEADLINE)


def test_one_who_left_it_to_a_listener_starts_another_where_that_one_has_ended_meanwhile(joints):
    """While it held the turn to start one, somebody else relied on it, and the listener had its last look at the store."""
    bg.submit("joints.hold", {"name": "first"})
    until(lambda: ran(joints, "first"), "a supervisor that listens")
    late = script(
        joints,
        """
        import os, signal, sys
        from ipybgjobs.state import wake
        from ipybgjobs.state.folder import StateFolder
        from ipybgjobs.system.lock import FileLock
        close = FileLock.close
        def slow(self):
            os.kill(os.getpid(), signal.SIGSTOP)
            close(self)
        FileLock.close = slow
        wake.start(StateFolder(sys.argv[1]))
        """,
        joints.state,
    )
    until(lambda: stopped(late.pid), "the one who holds the turn")
    release(joints)
    until(lambda: not of_role(joints, "supervisor"), "the end of the listener")
    bg.submit("joints.note", {"name": "second"})
    assert not of_role(joints, "supervisor"), "the turn was not taken"
    while late.poll() is None:
        late.send_signal(signal.SIGCONT)
        until(lambda: stopped(late.pid) or late.poll() is not None)
    assert late.communicate()[1] == ""
    until(lambda: ended(joints, 2), "the second job's end", 20)


def test_an_idle_supervisor_whose_socket_was_tidied_away_still_hears_of_a_job(joints):
    allow(joints, BackgroundJobs__idle_seconds=300.0)
    assert bg.submit("joints.note", {"name": "first"}).result(DEADLINE) == "first"
    for socket in joints.state.glob("wakeup*.sock"):
        socket.unlink()
    bg.submit("joints.note", {"name": "second"})
    try:
        until(lambda: ended(joints, 2), "the second job's end, long before the idle time is over", 20)
    finally:
        kill_helpers(joints)


def test_a_busy_supervisor_whose_socket_was_tidied_away_still_hears_of_a_job(joints):
    held = bg.submit("joints.hold", {"name": "first"})
    until(lambda: held.state == "running", "the first job")
    for socket in joints.state.glob("wakeup*.sock"):
        socket.unlink()
    bg.submit("joints.note", {"name": "second"})
    until(lambda: ended(joints, 2), "the second job's end while the first one runs", 20)
    assert held.state == "running"
    release(joints)
    held.wait(DEADLINE)


def test_a_supervisor_of_another_place_in_the_same_folder_does_not_swallow_the_wake_up(joints):
    """Containers that share a folder share its sockets too."""
    other = driven(joints, "identity._constant['namespace'] = 'pid:[1]'")
    bg.submit("joints.note", {"name": "here"})
    until(lambda: ended(joints), "the job's end by a supervisor of this host", 20)
    assert other.poll() is None
    other.kill()
    other.wait()
    kill_helpers(joints)


def test_a_store_that_refuses_for_a_while_is_tried_again_until_it_does_not(joints):
    pause, refused = joints.root / "pause", joints.root / "refused"
    supervisor = driven(
        joints,
        f"""
        database.BUSY_SECONDS = 0.05
        loop.FALLBACK = loop.AGAIN = 0.1
        before(loop.Supervisor, "tick", stop, lambda *_: os.path.exists({str(pause)!r}))
        decide = loop.Supervisor._decide
        def counted(self):
            try:
                return decide(self)
            except loop.StoreError:
                open({str(refused)!r}, "a").write("once\\n")
                raise
        loop.Supervisor._decide = counted
        """,
    )
    pause.touch()
    wake(joints)
    until(lambda: stopped(supervisor.pid), "a supervisor that holds nothing")
    bg.submit("joints.note", {"name": "late"})
    writer = sqlite3.connect(joints.state / "jobs.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    try:
        supervisor.send_signal(signal.SIGCONT)
        until(lambda: refused.exists() and len(refused.read_text().splitlines()) >= 4, "a fourth try", 15)
    finally:
        writer.execute("ROLLBACK")  # nothing is committed: no change of the store tells the supervisor
        writer.close()
    until(lambda: ended(joints), "the job's end", 15)
    until(lambda: supervisor.poll() is not None, "the supervisor's end")


def test_a_supervisor_that_can_not_even_start_is_not_started_again_and_again_without_a_pause(joints):
    """Its fork server lives, and would replace it; a socket that can't be made stands for a full disk."""
    StateFolder(str(joints.state)).create()
    in_the_way = [joints.state / "wakeup.sock", joints.state / wakeup.name()]
    for path in in_the_way:
        path.mkdir()
    bg.submit("joints.note", {"name": "late"})
    errors = joints.state / "supervisor.err"
    until(lambda: "Traceback" in errors.read_text(), "a supervisor that could not start")
    began = time.monotonic()
    until(lambda: time.monotonic() > began + 3.0)
    starts = errors.read_text().count("Traceback")
    for path in in_the_way:
        path.rmdir()
    open_store()
    until(lambda: ended(joints), "the job's end once it can start")
    assert starts <= 4
