"""There is a supervisor wherever there is work; what is stopped or hangs is named and replaced; launches that fail back off."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import ipybgjobs as bg
from ipybgjobs.client.client import Client
from ipybgjobs.commands import doctor
from ipybgjobs.errors import ConfigurationError, StoreError
from ipybgjobs.panel import overview
from ipybgjobs.state.folder import StateFolder
from ipybgjobs.store import database
from ipybgjobs.store.notices import Notices
from ipybgjobs.supervisor.launch_backoff import Backoff
from ipybgjobs.system import identity
from ipybgjobs.system.wakeup import name
from support.driver import driven, script
from support.joints import allow, ran, release
from support.place import DEADLINE, Place, until
from support.processes import alive, kill, kill_helpers, of_role, send, stopped, the_supervisor, worker
from support.rows import attempt_folder, ended, outcomes, rows
from support.startup_code import hooked


def notice(place: Place) -> str:
    """All that the supervisor says keeps jobs from starting."""
    found = rows(place, "SELECT notice FROM supervisors")
    return "; ".join(Notices.from_text(found[0][0]).lines()) if found else ""


def pids(place: Place) -> list[int]:
    return [int(each) for each in (place.code / "pids").read_text().split()]


# -- a supervisor wherever there is work ----------------------------------------------------------------------------------

_LOOKS = {
    "a job's state": lambda job, _: job.state,
    "a job's status": lambda job, _: job.status,
    "the list": lambda _, __: bg.jobs(),
    "a group's counts": lambda _, group: group.counts,
    "the overview": lambda _, __: overview.text(10, "submit"),
}


@pytest.mark.parametrize("look", _LOOKS.values(), ids=_LOOKS)
def test_whoever_looks_at_work_with_the_store_open_sees_to_a_supervisor(joints, look):
    group = bg.submit_many("joints.hold", [{"name": "first"}, {"name": "second"}])
    until(lambda: ran(joints, "first") and ran(joints, "second"), "the jobs")
    kill_helpers(joints)
    job = group.jobs[0]
    until(lambda: look(job, group) is not None and of_role(joints, "supervisor"), "a supervisor", 20)
    release(joints)
    group.wait(DEADLINE)


def test_whoever_looks_at_what_has_ended_starts_nobody(joints):
    job = bg.submit("joints.note", {"name": "done"})
    job.wait(DEADLINE)
    until(lambda: not of_role(joints, "supervisor"), "the end of the idle supervisor")
    for _ in range(3):
        assert job.state == "succeeded"
        assert job.status
    assert not of_role(joints, "supervisor")


@pytest.mark.parametrize("who", ["its fork server", "a client"])
def test_a_socket_that_still_takes_hints_for_a_dead_supervisor_keeps_no_successor_away(joints, who):
    """What the kernel does for some milliseconds after a kill, here for as long as the test wants."""
    job = bg.submit("joints.hold", {"name": "held"})
    until(lambda: ran(joints, "held"), "its run")
    dead = the_supervisor(joints)
    path = joints.state / name()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        os.kill(dead, signal.SIGSTOP)
        path.unlink()
        folder = os.open(joints.state, os.O_RDONLY)
        listening.bind(f"/proc/self/fd/{folder}/{path.name}")
        os.close(folder)
        if who == "a client":
            kill(of_role(joints, "forkserver")[0])
        kill(dead)
        if who == "a client":
            bg.submit("joints.note", {"name": "late"})
        until(lambda: set(of_role(joints, "supervisor")) - {dead}, "a successor, with nobody looking", 20)
        release(joints)
        until(lambda: ended(joints), "the job's end")
    assert outcomes(job) == [(1, "succeeded")]


def test_attempts_whose_launcher_lives_and_reports_nothing_do_not_delay_recovery_one_after_the_other(joints):
    jobs = bg.submit_many("joints.hold", [{"name": str(number)} for number in range(2)]).jobs
    until(lambda: all(ran(joints, str(number)) for number in range(2)), "the jobs")
    workers = [worker(joints, job.id) for job in jobs]
    kill_helpers(joints)
    for pid in workers:
        kill(pid)
    for job in jobs:
        path = attempt_folder(joints, job.id) / "started.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"launcher": identity.current().to_json()}))
    until(lambda: jobs[0].state.ended and jobs[1].state.ended, "their ends")
    [(began, last)] = rows(joints, "SELECT (SELECT started_at FROM supervisors), max(ended_at) FROM attempts")
    assert last - began < 1.9
    assert [outcomes(job) for job in jobs] == [[(1, "lost")]] * 2


# -- what is stopped or hangs -----------------------------------------------------------------------------------------------


def test_a_fork_server_that_is_stopped_is_named_and_another_launches(joints):
    held = bg.submit("joints.hold", {"name": "held"})
    until(lambda: ran(joints, "held"), "its run")
    [server] = of_role(joints, "forkserver")
    os.kill(server, signal.SIGSTOP)
    try:
        late = bg.submit("joints.note", {"name": "late"})
        until(lambda: f"(PID {server}) has not answered" in notice(joints), "the notice", 20)
        assert late.result(20) == "late"
        assert ran(joints, "late") == 1
        held.cancel()
        assert held.state == "cancelled"
        until(lambda: not alive(server), "the end of the fork server that launches nothing more")
    finally:
        send(server, signal.SIGCONT)
    assert ran(joints, "late") == 1


def test_a_fork_server_that_goes_on_after_it_was_given_up_launches_nothing_and_ends_with_what_it_launched(joints):
    held = bg.submit("joints.hold", {"name": "held"})
    until(lambda: ran(joints, "held"), "its run")
    [server] = of_role(joints, "forkserver")
    os.kill(server, signal.SIGSTOP)
    late = bg.submit("joints.note", {"name": "late"})
    assert late.result(DEADLINE) == "late"
    os.kill(server, signal.SIGCONT)
    looks = time.monotonic() + 1.5
    while time.monotonic() < looks:
        assert len(of_role(joints, "supervisor")) == 1, "it has started another supervisor, though its own lives"
    release(joints)
    held.wait(DEADLINE)
    until(lambda: not alive(server), "the end of the fork server")
    assert ran(joints, "late") == 1
    assert outcomes(held) == [(1, "succeeded")]


def test_a_supervisor_that_is_stopped_is_named_with_what_to_do(joints, capsys):
    allow(joints, BackgroundJobs__idle_seconds=5.0)
    bg.submit("joints.note", {"name": "first"}).wait(DEADLINE)
    pid = the_supervisor(joints)
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: stopped(pid), "the stop")
        job = bg.submit("joints.note", {"name": "second"})
        said = f"the supervisor (PID {pid}) is stopped: continue it (kill -CONT {pid})"
        assert said in job.status
        assert said in overview.text(10, "submit")
        assert any(said in problem for problem in doctor.examine().problems)
    finally:
        os.kill(pid, signal.SIGCONT)
    job.wait(DEADLINE)
    kill_helpers(joints)


def stopped_writer(place: Place) -> "subprocess.Popen[str]":
    """A process that is stopped within its transaction."""
    client = script(
        place,
        """
        import os, signal, sqlite3, sys
        connection = sqlite3.connect(sys.argv[1], isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        os.kill(os.getpid(), signal.SIGSTOP)
        connection.execute("ROLLBACK")
        """,
        place.state / "jobs.db",
    )
    until(lambda: stopped(client.pid), "the stop")
    return client


def test_a_client_that_is_stopped_within_its_transaction_is_named(joints):
    allow(joints, BackgroundJobs__idle_seconds=5.0)
    job = bg.submit("joints.hold", {"name": "held"})
    until(lambda: ran(joints, "held"), "its run")
    client = stopped_writer(joints)
    try:
        assert f"the store is locked by process {client.pid} (" in job.status
        assert f"which is stopped: continue it (kill -CONT {client.pid})" in overview.text(10, "submit")
    finally:
        client.send_signal(signal.SIGCONT)
        client.communicate()
    release(joints)
    job.wait(DEADLINE)
    kill_helpers(joints)


def test_whoever_waits_for_a_stopped_writer_in_vain_is_told_its_name(joints, monkeypatch):
    bg.submit("joints.note", {"name": "first"}).wait(DEADLINE)
    until(lambda: not of_role(joints, "supervisor"), "the end of the idle supervisor")
    client = stopped_writer(joints)
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.3)
    patient = Client()
    try:
        with pytest.raises(StoreError, match=rf"is locked. The store is locked by process {client.pid} .*which is stopped"):
            patient.submit("joints.note", {"name": "second"})
    finally:
        client.send_signal(signal.SIGCONT)
        client.communicate()
        patient.close()


def test_a_configuration_file_that_leaves_is_refused_by_its_name(joints):
    joints.config_file.write_text("raise SystemExit(3)")
    with pytest.raises(ConfigurationError, match=f"{joints.config_file}, line 1 is broken: SystemExit: 3"):
        bg.submit("joints.note", {"name": "never"})


def test_a_configuration_that_takes_long_is_named_and_read_anew_once_it_is_mended(joints):
    bg.pause()
    job = bg.submit("joints.note", {"name": "late"})
    sound = joints.config_file.read_text()
    joints.config_file.write_text("import time\ntime.sleep(600)\n" + sound)
    bg.resume()
    until(lambda: "has been slow since" in job.status, "the notice", 20)
    assert str(joints.config_file) in job.status
    joints.config_file.write_text(sound)
    assert job.result(20) == "late"


# -- start-up hooks ---------------------------------------------------------------------------------------------------------


def test_a_hook_that_prints_keeps_no_job_from_running(joints, monkeypatch):
    hooked(joints, "print('welcome', flush=True)", monkeypatch)
    assert bg.submit("joints.note", {"name": "once"}).result(DEADLINE) == "once"


def test_a_hook_that_starts_a_thread_gets_each_job_a_fresh_process(joints, monkeypatch):
    hooked(joints, "import threading, time\nthreading.Thread(target=time.sleep, args=(1e6,), daemon=True).start()", monkeypatch)
    job = bg.submit("joints.note", {"name": "once"})
    assert job.result(DEADLINE) == "once"
    assert rows(joints, "SELECT launched_by, launches FROM attempts") == [("fresh process", 1)]
    assert "starts a thread" in rows(joints, "SELECT launch_reason FROM attempts")[0][0]
    assert not (joints.state / "supervisor.err").read_text()


# -- launches that fail -------------------------------------------------------------------------------------------------------

_NO_FORK = """
import errno, os, pathlib
fork = os.fork
def refused():
    if pathlib.Path("MARKER").exists():
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
    return fork()
os.fork = refused
"""

_NO_FILES = """
import errno, pathlib
redirect = worker.redirect_output
def refused(path, reserve):
    if pathlib.Path("MARKER").exists():
        raise OSError(errno.EMFILE, "Too many open files")
    redirect(path, reserve)
worker.redirect_output = refused
"""


def test_where_no_process_is_to_be_had_jobs_wait_with_a_notice_and_go_on_by_themselves(joints):
    marker = joints.root / "none"
    marker.touch()
    supervisor = driven(joints, "", _NO_FORK.replace("MARKER", str(marker)))
    job = bg.submit("joints.note", {"name": "once"})
    until(lambda: "the limit on processes is reached" in notice(joints), "the notice", 20)
    until(lambda: "the limit on processes is reached" in job.status, "the same in its status", 5)
    until(lambda: job.state == "queued", "its place in the queue", 5)
    assert rows(joints, "SELECT count(*) FROM attempts") == [(0,)]
    began = time.monotonic()
    until(lambda: time.monotonic() > began + 2.5)
    assert len(list((joints.state / "jobs" / job.uid).iterdir())) <= 1
    job.set_priority(3)
    marker.unlink()
    assert job.result(DEADLINE) == "once"
    assert outcomes(job) == [(1, "succeeded")]
    until(lambda: supervisor.poll() is not None, "the supervisor's end")


def test_launches_that_fail_wait_longer_each_time_and_at_most_a_minute_until_one_works():
    now, pauses = [0.0], []
    held = Backoff(lambda: now[0])
    for _ in range(8):
        held.failed("the limit on processes is reached")
        held.failed("another of the same moment")
        pauses.append(held.left)
        assert held.waits
        now[0] += held.left
        assert not held.waits
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    held.worked()
    assert held.reason is None
    held.failed("again")
    assert held.left == 1


def test_a_process_that_ends_before_it_could_begin_uses_up_no_attempt(joints):
    marker = joints.root / "none"
    marker.touch()
    supervisor = driven(joints, "", _NO_FILES.replace("MARKER", str(marker)))
    job = bg.submit("joints.note", {"name": "once"})
    until(lambda: "ended before it could begin" in job.status, "the notice", 20)
    assert job.state == "queued"
    assert rows(joints, "SELECT started_at, attempt FROM jobs") == [(None, 0)]
    other = bg.submit("joints.note", {"name": "beside"})
    until(lambda: "ended before it could begin" in other.status, "that of another", 20)
    marker.unlink()
    assert job.result(DEADLINE) == "once"
    assert other.result(DEADLINE) == "beside"
    assert outcomes(job) == [(1, "succeeded")]
    assert ran(joints, "once") == 1
    until(lambda: supervisor.poll() is not None, "the supervisor's end")


def test_an_interpreter_that_is_gone_is_named_at_its_own_job_and_at_no_other(joints):
    gone = joints.root / "python"
    gone.symlink_to(sys.executable)
    code = "import ipybgjobs as bg; print(bg.submit('joints.note', {'name': 'gone'}).id)"
    environment = joints.environment | {"PYTHONPATH": ":".join(sys.path[1:])}
    bg.pause()
    done = subprocess.run([gone, "-c", code], cwd=joints.code, env=environment, capture_output=True, text=True, check=True)
    gone.unlink()
    bg.resume()
    late = bg.submit("joints.note", {"name": "late"}, delay="1h")
    lost = bg.job(int(done.stdout))
    until(lambda: str(gone) in lost.status, "the reason", 20)
    assert str(gone) not in late.status
    assert bg.submit("joints.note", {"name": "now"}).result(DEADLINE) == "now"
    for job in (lost, late):
        job.cancel()


# -- what a dead worker leaves ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orphaned", [False, True], ids=["its fork server lives", "its fork server has died"])
def test_children_of_a_killed_worker_end_before_the_next_attempt_starts(joints, orphaned):
    joints.module("family")
    joints.allow({"family": ["family"]}, RetryPolicy__max_attempts=2, BackgroundJobs__idle_seconds=0.2)
    job = bg.submit("family.family")
    until(lambda: "family" in job.log(), "its run")
    near, far = pids(joints)
    if orphaned:
        kill(of_role(joints, "forkserver")[0])
    os.kill(worker(joints), signal.SIGKILL)
    try:
        until(lambda: job.attempts[0].outcome == "lost", "the first end")
        assert not any(map(alive, (near, far)))
        (joints.code / "second").touch()
        assert job.result(DEADLINE) == []
    finally:
        for pid in {near, far, *pids(joints)}:
            send(pid, signal.SIGKILL)


def test_what_still_prints_to_the_log_of_a_killed_worker_ends_though_its_fork_server_has_died(joints):
    joints.module("loud")
    joints.allow({"loud": ["loud"]}, RetryPolicy__max_attempts=1, BackgroundJobs__idle_seconds=0.2)
    job = bg.submit("loud.loud")
    until(lambda: "loud" in job.log(), "its run")
    child = int((joints.code / "pids").read_text())
    kill(of_role(joints, "forkserver")[0])
    os.kill(worker(joints), signal.SIGKILL)
    until(lambda: job.state.ended, "its end")
    assert not alive(child)


def test_children_that_a_success_leaves_stay_though_another_worker_is_killed(joints):
    joints.module("family")
    joints.allow({"family": ["family"], "joints": ["hold"]}, BackgroundJobs__idle_seconds=0.2)
    killed = bg.submit("joints.hold", {"name": "held"})
    until(lambda: ran(joints, "held"), "its run")
    assert bg.submit("family.family", {"wait": False}).result(DEADLINE) == []
    left = pids(joints)
    os.kill(worker(joints, killed.id), signal.SIGKILL)
    try:
        until(lambda: ended(joints, killed.id), "the end of the other")
        assert all(map(alive, left))
    finally:
        for pid in left:
            send(pid, signal.SIGKILL)


_BROKEN = """
import os, sys

class Broken:
    def find_spec(self, name, *_):
        if name == "ipybgjobs.supervisor.service":
            with open("STARTS", "a") as file:
                print(os.getpid(), file=file)
            raise OSError("a full table of open files")

sys.meta_path.insert(0, Broken())
"""


def test_a_supervisor_that_fails_while_it_loads_leaves_no_fork_server_that_starts_others(joints, monkeypatch):
    starts = joints.root / "starts"
    hooked(joints, _BROKEN.replace("STARTS", str(starts)), monkeypatch)
    bg.submit("joints.brief", {"name": "any", "seconds": 0})
    until(starts.exists, "the start of the supervisor")
    until(lambda: not joints.processes(), "the end of all processes", 20)
    assert len(starts.read_text().splitlines()) == 1
    assert "a full table of open files" in Path(StateFolder(str(joints.state)).errors).read_text()
