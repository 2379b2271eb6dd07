"""The joints from a running attempt to its record: supervisors and fork servers that die, ends of trees, outcomes, identities.

What the tests share, and how a boundary is hit, stands in test_joints_start.
"""

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import DEADLINE, Place, until
from test_joints_start import (
    alive,
    allow,
    attempt_folder,
    driven,
    ended,
    forks,
    kill,
    kill_helpers,
    of_role,
    open_store,
    outcomes,
    prepare,
    ran,
    release,
    rows,
    state_of,
    stopped,
    wake,
    worker,
)

import ipybgjobs as bg
from ipybgjobs.client import client as client_module
from ipybgjobs.system import identity


@pytest.fixture
def joints(place: Place) -> Place:
    return prepare(place)


def held(place: Place, name: str = "held", **options: object) -> bg.Job:
    """A job that runs until it is released."""
    job = bg.submit("joints.hold", {"name": name}, **options)
    until(lambda: ran(place, name), f"the run of {name}")
    return job


def request_cancel(job: bg.Job, grace: float = 0.2) -> None:
    """Cancel without waiting, as `Job.cancel` sees to it that a supervisor is there."""
    client = client_module.client()
    client.cancel(client.folder(), [job.id], grace)


# -- 4: the supervisor dies ---------------------------------------------------------------------------------------------


def test_a_fork_server_replaces_its_supervisor_and_running_jobs_go_on(joints):
    jobs = [held(joints, name) for name in ("one", "two")]
    pids = [worker(joints, job.id) for job in jobs]
    [supervisor] = of_role(joints, "supervisor")
    kill(supervisor)
    until(lambda: set(of_role(joints, "supervisor")) - {supervisor}, "another supervisor, with no client there")
    assert all(alive(pid) for pid in pids)
    release(joints)
    until(lambda: all(ended(joints, job.id) for job in jobs), "their ends")
    for job, name in zip(jobs, ("one", "two"), strict=True):
        [attempt] = job.attempts
        assert (job.result(), ran(joints, name), attempt.outcome, attempt.exit_code) == (name, 1, "succeeded", 0)
        assert attempt.peak_memory > 1 << 20
        assert attempt.cpu_seconds is not None


def test_an_end_that_comes_while_no_supervisor_lives_is_recorded_as_the_fork_server_saw_it(joints):
    """The new supervisor is kept from starting for as long as the ends take."""
    first, second = held(joints, "one"), held(joints, "two")
    [supervisor], [forkserver] = of_role(joints, "supervisor"), of_role(joints, "forkserver")
    os.kill(forkserver, signal.SIGSTOP)
    kill(supervisor)
    os.kill(worker(joints, second.id), signal.SIGTERM)
    release(joints)
    until(lambda: not alive(worker(joints, first.id)) and not alive(worker(joints, second.id)), "the ends of both workers")
    os.kill(forkserver, signal.SIGCONT)
    until(lambda: ended(joints, first.id) and ended(joints, second.id), "their records")
    assert [(a.outcome, a.exit_code, a.signal) for a in first.attempts] == [("succeeded", 0, None)]
    [attempt] = second.attempts
    assert attempt.outcome in ("error", "lost")
    assert (attempt.exit_code, attempt.signal) != (None, None)
    assert attempt.peak_memory


def test_a_worker_killed_together_with_its_supervisor_is_lost_with_its_signal(joints):
    job = held(joints)
    pid = worker(joints)
    [supervisor] = of_role(joints, "supervisor")
    os.kill(supervisor, signal.SIGSTOP)  # so that it can't record the end first
    kill(pid)
    kill(supervisor)
    until(lambda: ended(joints), "its record")
    [attempt] = job.attempts
    assert (attempt.outcome, attempt.signal, attempt.exit_code) == ("lost", signal.SIGKILL, None)
    assert attempt.peak_memory


@pytest.mark.parametrize("meanwhile", ["runs on", "succeeds", "is killed"])
def test_when_supervisor_and_fork_server_die_the_next_opening_finds_out_and_guesses_nothing(joints, meanwhile):
    job = held(joints)
    pid = worker(joints)
    kill_helpers(joints)
    if meanwhile == "is killed":
        kill(pid)
    if meanwhile == "succeeds":
        release(joints)
        until(lambda: not alive(pid), "the worker's end")
    assert state_of(joints) == "running"
    open_store()
    if meanwhile == "runs on":
        until(lambda: of_role(joints, "supervisor"), "a supervisor")
        assert job.state == "running"
        release(joints)
    until(lambda: ended(joints), "its record")
    [attempt] = job.attempts
    assert (attempt.number, attempt.outcome) == (1, "lost" if meanwhile == "is killed" else "succeeded")
    assert (attempt.exit_code, attempt.signal, attempt.peak_memory, attempt.cpu_seconds) == (None, None, None, None)
    assert ran(joints, "held") == 1


def test_a_worker_that_dies_with_everybody_is_retried_by_rule_and_counted(joints):
    allow(joints, RetryPolicy__max_attempts=2)
    job = held(joints)
    pid = worker(joints)
    kill_helpers(joints)
    kill(pid)
    open_store()
    until(lambda: ran(joints, "held") == 2, "the second run")
    release(joints)
    until(lambda: ended(joints), "the job's end")
    assert outcomes(job) == [(1, "lost"), (2, "succeeded")]


def test_a_timeout_goes_on_counting_while_supervisors_change(joints):
    job = bg.submit("joints.hold", {"name": "held"}, timeout=1.5)
    until(lambda: ran(joints, "held"), "its run")
    began = time.monotonic()
    [supervisor] = of_role(joints, "supervisor")
    kill(supervisor)
    until(lambda: ended(joints), "the job's end")
    assert outcomes(job) == [(1, "timeout")]
    assert time.monotonic() - began < 15


def test_a_supervisor_killed_again_and_again_at_its_start_is_replaced_again_and_again(joints):
    job = held(joints)
    for _ in range(3):
        [supervisor] = until(lambda: of_role(joints, "supervisor"), "a supervisor")
        kill(supervisor)
        open_store()
    release(joints)
    until(lambda: ended(joints), "the job's end")
    assert outcomes(job) == [(1, "succeeded")]
    assert ran(joints, "held") == 1


def test_a_fork_server_that_can_not_write_what_it_saw_still_sees_to_a_supervisor_and_to_its_other_jobs(joints):
    """A full disk, say, or a folder that was removed: then nobody saw it, and that is all."""
    first, second = held(joints, "one"), held(joints, "two")
    (attempt_folder(joints, first.id) / "exit.json").mkdir()
    pid = worker(joints, first.id)
    [supervisor] = of_role(joints, "supervisor")
    os.kill(supervisor, signal.SIGSTOP)
    kill(pid)
    kill(supervisor)
    until(lambda: ended(joints, first.id), "its record, with no client there")
    release(joints)
    until(lambda: ended(joints, second.id), "the other's")
    assert [(a.outcome, a.signal) for a in first.attempts] == [("lost", None)]
    assert [(a.outcome, a.exit_code) for a in second.attempts] == [("succeeded", 0)]


def test_settings_of_the_files_hold_for_a_supervisor_that_only_finds_running_jobs(joints):
    """Nothing is claimed any more, so nothing else makes it read the files: grace, idle time and logs are theirs all the same."""
    logs = joints.root / "other-logs"
    allow(joints, BackgroundJobs__kill_grace_seconds=0.1, JobLogs__directory=str(logs))
    job = bg.submit("joints.stubborn")
    until(lambda: "stubborn" in job.log(), "its run")
    [supervisor] = of_role(joints, "supervisor")
    kill(supervisor)
    until(lambda: set(of_role(joints, "supervisor")) - {supervisor}, "another supervisor")
    began = time.monotonic()
    job.cancel()
    assert time.monotonic() - began < 8, "it took the default grace"
    until(lambda: "was cancelled" in (logs / "background_jobs.log").read_text(), "the log")
    until(lambda: not joints.processes(), "the end of the idle time", 10)


# -- 5: the end of a tree -----------------------------------------------------------------------------------------------

_ENDING = {
    "the reason is committed": "LocalExecutor.cancel = die",
    "before the first signal": "tree.interrupt = die",
    "after the first signal": "after(tree, 'interrupt', die)",
    "after the second signal": "after(tree, 'terminate', die)",
    "everything is stopped": "before(tree, 'send', die, lambda _, number: number == signal.SIGKILL)",
    "all but the worker have ended": "after(tree, 'send', die, lambda _, __, number: number == signal.SIGKILL)",
}


_ENDINGS = [(boundary, "cancelled") for boundary in _ENDING]
_ENDINGS += [("the reason is committed", "timeout"), ("after the first signal", "timeout")]


@pytest.mark.parametrize(("boundary", "reason"), _ENDINGS)
def test_an_ending_goes_on_under_the_next_supervisor(joints, boundary, reason):
    allow(joints, BackgroundJobs__kill_grace_seconds=0.2)
    dead = driven(joints, _ENDING[boundary])
    job = bg.submit("joints.stubborn", timeout=1.0 if reason == "timeout" else None)
    until(lambda: "stubborn" in job.log(), "its run")
    grandchild, pid = int((joints.code / "grandchild").read_text()), worker(joints)
    until(lambda: os.getsid(grandchild) == grandchild, "a session of its own")
    if reason == "cancelled":
        request_cancel(job)
    assert dead.wait(DEADLINE) == -signal.SIGKILL
    until(lambda: ended(joints), "the job's end, with no client there")
    assert outcomes(job) == [(1, reason)]
    assert not alive(pid)
    until(lambda: not alive(grandchild), "the end of the grandchild in a session of its own", 5)


def test_an_ending_goes_on_though_the_fork_server_is_killed(joints):
    job = bg.submit("joints.stubborn")
    until(lambda: "stubborn" in job.log(), "its run")
    grandchild, pid = int((joints.code / "grandchild").read_text()), worker(joints)
    request_cancel(job, 0.5)
    until((attempt_folder(joints) / "ending.json").exists, "the first signal")
    [forkserver] = of_role(joints, "forkserver")
    kill(forkserver)
    until(lambda: ended(joints), "the job's end")
    assert outcomes(job) == [(1, "cancelled")]
    assert not alive(pid)
    until(lambda: not alive(grandchild), "the end of the grandchild", 5)


def test_an_ending_goes_on_at_the_next_opening_where_supervisor_and_fork_server_died_while_all_was_stopped(joints):
    dead = driven(
        joints,
        """
        servers = []
        after(LocalExecutor, "ensure_fork_server", lambda self: servers.append(self._servers[-1].process.pid))
        def both(*_):
            os.kill(servers[-1], signal.SIGKILL)
            die()
        before(tree, "send", both, lambda _, number: number == signal.SIGKILL)
        """,
    )
    job = bg.submit("joints.stubborn")
    until(lambda: "stubborn" in job.log(), "its run")
    grandchild, pid = int((joints.code / "grandchild").read_text()), worker(joints)
    request_cancel(job, 0.1)
    assert dead.wait(DEADLINE) == -signal.SIGKILL
    assert stopped(pid)
    open_store()
    until(lambda: ended(joints), "the job's end")
    assert outcomes(job) == [(1, "cancelled")]
    until(lambda: not alive(grandchild), "the end of the grandchild", 5)


@pytest.fixture
def bystander() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that has nothing to do with anything, leader of a session with a child."""
    process = subprocess.Popen(["sh", "-c", "sleep 601 & wait"], start_new_session=True)
    yield process
    assert process.poll() is None, "a bystander was ended"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def forge_start(place: Place, pid: int, **changes: object) -> Path:
    """Let the start marker name another process, as if the worker's PID had been given away."""
    path = attempt_folder(place) / "started.json"
    started = json.loads(path.read_text())
    started["process"]["pid"] = pid
    started["process"] |= changes.pop("process", {})
    forged = path.with_suffix(".forged")
    forged.write_text(json.dumps(started | changes))
    forged.rename(path)
    return path


_REUSED = {
    "another start time": {},
    "the same ticks after another boot": {"boot": "00000000-0000-0000-0000-000000000000"},
}


@pytest.mark.parametrize("was_ending", [False, True], ids=["running", "being cancelled"])
@pytest.mark.parametrize("reused", _REUSED)
def test_a_pid_that_was_given_away_is_neither_waited_for_nor_signalled(joints, bystander, reused, was_ending):
    job = held(joints)
    pid = worker(joints)
    kill_helpers(joints)
    kill(pid)
    same = {"start_time": identity.current(bystander.pid).start_time} if _REUSED[reused] else {}
    forge_start(joints, bystander.pid, process={**_REUSED[reused], **same})
    if was_ending:
        rows(joints, "UPDATE attempts SET ending = 'cancelled', ending_at = 0, ending_grace = 0.1")
    open_store()
    until(lambda: ended(joints), "the job's end", 15)
    assert outcomes(job) == [(1, "cancelled" if was_ending else "lost")]


def test_a_cancel_of_an_attempt_in_another_pid_namespace_signals_nobody_here(joints, bystander):
    job = held(joints)
    pid = worker(joints)
    kill_helpers(joints)
    kill(pid)
    same = {"start_time": identity.current(bystander.pid).start_time}
    marker = forge_start(joints, bystander.pid, process=same, pid_namespace="pid:[1]")
    with marker.open("r+b") as theirs:
        fcntl.lockf(theirs, fcntl.LOCK_EX)
        open_store()
        request_cancel(job, 0.05)
        until(lambda: rows(joints, "SELECT ending FROM attempts") == [("cancelled",)], "the request's answer")
        until(lambda: not rows(joints, "SELECT * FROM requests"), "the request's answer")
        assert job.state == "running"
        assert bystander.poll() is None
    wake(joints)
    until(lambda: ended(joints), "the job's end, once its lock is free")
    assert outcomes(job) == [(1, "cancelled")]


def test_an_attempt_that_can_not_be_ended_from_here_does_not_keep_the_supervisor_busy(joints, bystander):
    """Its time is up, and its process is in another PID namespace."""
    job = held(joints)
    pid = worker(joints)
    kill_helpers(joints)
    kill(pid)
    marker = forge_start(joints, bystander.pid, pid_namespace="pid:[1]")
    rows(joints, "UPDATE jobs SET timeout = 0.01")
    with marker.open("r+b") as theirs:
        fcntl.lockf(theirs, fcntl.LOCK_EX)
        open_store()
        until(lambda: rows(joints, "SELECT ending FROM attempts") == [("timeout",)], "the time-out")
        [supervisor] = of_role(joints, "supervisor")
        before, began = busy_seconds(supervisor), time.monotonic()
        until(lambda: time.monotonic() > began + 1.0)
        assert busy_seconds(supervisor) - before < 0.5
    wake(joints)
    until(lambda: ended(joints), "the job's end, once its lock is free")
    assert outcomes(job) == [(1, "timeout")]


def busy_seconds(pid: int) -> float:
    """How long a process has run, or waited for a processor that others used."""
    running, waiting, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    return (int(running) + int(waiting)) / 1e9


def test_an_attempt_can_be_cancelled_though_nothing_can_be_written_in_its_folder(joints):
    """A full disk is a reason to cancel, not to fail at it."""
    job = held(joints)
    (attempt_folder(joints) / "ending.json").mkdir()
    request_cancel(job, 0.1)
    try:
        until(lambda: ended(joints), "the job's end", 15)
        assert outcomes(job) == [(1, "cancelled")]
    finally:
        kill_helpers(joints)


FILLS_ITS_DISK = """
    import contextlib, os, time
    import ipybgjobs as bg

    def fill():
        path = f"{bg.current_job().folder}/filler"
        print("began", flush=True)
        with contextlib.suppress(OSError), open(path, "wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        print("full", flush=True)
        try:
            time.sleep(300)
        except KeyboardInterrupt:
            os.unlink(path)
            return "finished"
"""

#: Cancels a job whose attempt folder is on a full file system of its own, and says how it ended.
_CANCELS = """
import time
import ipybgjobs as bg

job = bg.submit("filling.fill")
while "full" not in job.log():
    time.sleep(0.01)
try:
    job.cancel()
    job.result(60)
except bg.JobCancelled as error:
    print(job.state, job.attempts[0].outcome, error.value)
else:
    print(job.state, job.attempts[0].outcome)
"""


def test_a_job_that_makes_room_and_returns_when_it_is_cancelled_on_a_full_disk_is_cancelled(place):
    place.module("filling", FILLS_ITS_DISK)
    place.allow({"filling": ["fill"]}, BackgroundJobs__idle_seconds=0.2, BackgroundJobs__kill_grace_seconds=20.0)
    jobs = place.state / "jobs"
    jobs.mkdir(mode=0o700, parents=True)
    place.state.chmod(0o700)
    mounting = f'mount -t tmpfs -o size=256k,mode=700 tmpfs "{jobs}" && exec "$0" -c "$1"'
    command = ["unshare", "-Urm", "sh", "-c", mounting, sys.executable, _CANCELS]
    done = subprocess.run(command, cwd=place.code, capture_output=True, text=True, timeout=2 * DEADLINE, check=False)
    if "unshare failed" in done.stderr or "mount:" in done.stderr:
        pytest.skip("no file system can be mounted here")
    assert done.stdout == "cancelled cancelled finished\n", done.stderr


# -- 6: the outcome, whole or not at all --------------------------------------------------------------------------------


@pytest.mark.parametrize(("boundary", "outcome"), [("before", "lost"), ("after", "succeeded")])
def test_an_outcome_counts_from_the_moment_it_has_its_name(joints, boundary, outcome):
    job = bg.submit("joints.die_at_outcome", {"boundary": boundary}).wait(DEADLINE)
    [attempt] = job.attempts
    assert (attempt.outcome, attempt.signal) == (outcome, signal.SIGKILL)
    assert list(attempt_folder(joints).glob("outcome.json*.part")) == [] or outcome == "lost"
    if outcome == "succeeded":
        assert job.result() == "after"
    else:
        with pytest.raises(bg.JobLost, match="SIGKILL"):
            job.result()


def test_an_outcome_cut_short_by_a_crash_of_the_machine_is_no_outcome(joints):
    job = held(joints)
    pid = worker(joints)
    kill_helpers(joints)
    kill(pid)
    (attempt_folder(joints) / "outcome.json").write_text('{"status":"succeeded","resu')
    open_store()
    until(lambda: ended(joints), "the job's end")
    assert outcomes(job) == [(1, "lost")]


def test_a_cancel_while_the_result_is_being_written_is_a_cancel(joints):
    job = bg.submit("joints.slow_result")
    until((joints.code / "pickling").exists, "the pickling of its result")
    job.cancel(grace=5)
    assert outcomes(job) == [(1, "cancelled")]


def test_jobs_outlive_their_fork_server_and_new_ones_get_another(joints):
    jobs = [held(joints, name) for name in ("one", "two")]
    pids = [worker(joints, job.id) for job in jobs]
    [supervisor] = of_role(joints, "supervisor")
    [forkserver] = of_role(joints, "forkserver")
    kill(forkserver)
    allow(joints, BackgroundJobs__queues={"default": 3})
    assert bg.submit("joints.note", {"name": "three"}).result(DEADLINE) == "three"
    assert all(alive(pid) for pid in pids)
    assert of_role(joints, "supervisor") == [supervisor]
    release(joints)
    until(lambda: all(ended(joints, job.id) for job in jobs), "their ends")
    for job in jobs:
        assert outcomes(job) == [(1, "succeeded")]
        [attempt] = job.attempts
        assert (attempt.exit_code, attempt.peak_memory) == (None, None), "nobody saw how it ended"


def test_a_worker_killed_after_its_fork_server_is_seen_as_lost_at_once(joints):
    job = held(joints)
    pid = worker(joints)
    [forkserver] = of_role(joints, "forkserver")
    kill(forkserver)
    until(lambda: of_role(joints, "supervisor"), "the supervisor")
    began = time.monotonic()
    kill(pid)
    until(lambda: ended(joints), "its record")
    assert time.monotonic() - began < 4, "it was found by chance"
    assert outcomes(job) == [(1, "lost")]


def test_a_killed_worker_is_seen_as_lost_at_once(joints):
    job = held(joints)
    pid = worker(joints)
    began = time.monotonic()
    kill(pid)
    until(lambda: ended(joints), "its record")
    assert time.monotonic() - began < 2, "it was found by chance"
    [attempt] = job.attempts
    assert (attempt.outcome, attempt.signal) == ("lost", signal.SIGKILL)


# -- 8: another PID namespace of this host ------------------------------------------------------------------------------


def test_an_attempt_in_another_pid_namespace_is_running_while_its_start_marker_is_locked(joints):
    job = held(joints)
    pid = worker(joints)
    kill_helpers(joints)
    kill(pid)
    marker = forge_start(joints, 1, pid_namespace="pid:[1]")
    with marker.open("r+b") as theirs:
        fcntl.lockf(theirs, fcntl.LOCK_EX)  # not seen by this process itself, but by all others
        other = bg.submit("joints.note", {"name": "other"})
        until(lambda: ended(joints, other.id), "another job's end")
        assert job.state == "running"
        assert outcomes(job) == [(1, None)]
    wake(joints)
    until(lambda: ended(joints), "the job's end")
    [attempt] = job.attempts
    assert (attempt.outcome, attempt.exit_code, attempt.signal) == ("lost", None, None)


def test_an_attempt_in_another_pid_namespace_is_lost_where_its_start_marker_is_not_locked(joints):
    job = held(joints)
    pid = worker(joints)
    kill_helpers(joints)
    kill(pid)
    forge_start(joints, 1, pid_namespace="pid:[1]")
    open_store()
    until(lambda: ended(joints), "the job's end")
    assert outcomes(job) == [(1, "lost")]


def test_a_worker_holds_its_start_marker_from_the_moment_it_has_its_name(joints):
    """Or a supervisor in another PID namespace that looks right then declares it lost."""
    supervisor = driven(joints, "", "after(attempt, 'claim_start', stop)")
    bg.submit("joints.note", {"name": "once"})
    [pid] = until(lambda: [each for each in forks(joints) if stopped(each)], "a worker that has just claimed")
    marker = attempt_folder(joints) / "started.json"
    held_now = is_locked(marker)
    os.kill(pid, signal.SIGCONT)
    until(lambda: ended(joints), "the job's end")
    until(lambda: supervisor.poll() is not None, "the supervisor's end")
    assert held_now


def is_locked(path: Path) -> bool:
    with path.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


# -- everything at once -------------------------------------------------------------------------------------------------


def test_thirty_jobs_run_once_each_however_often_supervisors_and_fork_servers_are_killed(joints):
    allow(joints, BackgroundJobs__queues={"default": 6})
    draw = random.Random(1)
    jobs = [bg.submit("joints.brief", {"name": str(n), "seconds": draw.uniform(0.0, 0.4)}) for n in range(30)]
    for _ in range(10):
        role = draw.choice(["supervisor", "forkserver", "both"])
        pids = [pid for each in ("supervisor", "forkserver") if role in (each, "both") for pid in of_role(joints, each)]
        for pid in pids:
            kill(pid)
        if role == "both":
            open_store()
        settle = time.monotonic() + draw.uniform(0.05, 0.4)
        until(lambda settle=settle: time.monotonic() > settle)
        if not of_role(joints, "supervisor"):
            open_store()
    until(lambda: all(ended(joints, job.id) for job in jobs), "all ends")
    assert [outcomes(job) for job in jobs] == [[(1, "succeeded")]] * 30
    assert [ran(joints, str(number)) for number in range(30)] == [1] * 30
    assert [job.result() for job in jobs] == [str(number) for number in range(30)]
    assert "Traceback" not in (joints.state / "supervisor.err").read_text()


def test_workers_killed_at_random_are_lost_and_retried_by_rule(joints):
    allow(joints, BackgroundJobs__queues={"default": 4}, RetryPolicy__max_attempts=20, RetryPolicy__delay_seconds=0.05)
    draw = random.Random(3)
    jobs = [bg.submit("joints.brief", {"name": str(n), "seconds": 0.3}) for n in range(8)]
    killed = 0
    while killed < 8:
        live = rows(joints, "SELECT job_id, folder FROM attempts WHERE outcome IS NULL")
        if not live:
            until(lambda: rows(joints, "SELECT 1 FROM attempts WHERE outcome IS NULL") or all(ended(joints, j.id) for j in jobs))
            if all(ended(joints, job.id) for job in jobs):
                break
            continue
        marker = joints.state / draw.choice(live)[1] / "started.json"
        if marker.exists():
            kill(int(json.loads(marker.read_text())["process"]["pid"]))
            killed += 1
    until(lambda: all(ended(joints, job.id) for job in jobs), "all ends")
    assert killed
    for number, job in enumerate(jobs):
        found = outcomes(job)
        assert [n for n, _ in found] == list(range(1, len(found) + 1))
        assert [outcome for _, outcome in found] == ["lost"] * (len(found) - 1) + ["succeeded"]
        assert ran(joints, str(number)) <= len(found)
