"""What attempts leave running: ended with whoever was killed, named or ended after a success; and never what is another job's."""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys

import pytest

import ipybgjobs as bg
from ipybgjobs.commands import cli, doctor
from ipybgjobs.panel import details
from ipybgjobs.system import identity, process_mark, tree
from support.joints import ran, release
from support.namespaces import ISOLATED, needs_namespaces
from support.place import DEADLINE, Place, until
from support.processes import alive, of_role, send, worker

METHODS = ["leave", "hold", "shell", "outer"]


@pytest.fixture
def leaves(place: Place) -> Place:
    place.module("leaves")
    allow(place)
    return place


def allow(place: Place, **settings: object) -> None:
    place.allow({"leaves": METHODS}, **{"BackgroundJobs__idle_seconds": 0.2, **settings})


def pids(place: Place, name: str = "pids") -> list[int]:
    path = place.code / name
    until(path.exists, f"what leaves {name}")
    return [int(each) for each in path.read_text().split()]


def helpers(place: Place, role: str) -> list[int]:
    """PIDs of supervisors or fork servers; a fork of a job has the command line of a fork server, and a mark."""
    return [pid for pid in of_role(place, role) if process_mark.of_process(pid) is None]


@contextlib.contextmanager
def ended_in_the_end(*left: int):
    """Whatever a test has shown, nothing stays."""
    try:
        yield
    finally:
        roots = [state for state in map(identity.state_of, left) if state is not None]
        for state in [*tree.descendants(roots), *roots]:
            send(state.pid, signal.SIGKILL)


# -- what a killed worker leaves ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variables", [{}, {"PYTHONHASHSEED": "7"}], ids=["fork", "fresh process"])
@pytest.mark.parametrize(
    "dead", [[], ["forkserver"], ["supervisor", "forkserver"]], ids=lambda dead: " and ".join(dead) or "alone"
)
def test_all_that_a_killed_worker_has_started_ends_whoever_dies_with_it(leaves, monkeypatch, dead, variables):
    """In sessions of their own, without output, without environment, started or only forked."""
    bg.submit("leaves.leave").wait(DEADLINE)
    ours = pids(leaves)  # left by a success: it stays
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    job = bg.submit("leaves.leave", {"name": "killed", "wait": True})
    left = pids(leaves, "killed")
    with ended_in_the_end(*ours, *left):
        assert all(map(alive, left))
        found = [pid for role in dead for pid in helpers(leaves, role)]
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in [*found, worker(leaves, job.id)]:
                os.kill(pid, number)
        until(lambda: job.state.ended, "its end")
        assert [each.outcome for each in job.attempts] == ["lost"]
        assert not any(map(alive, left))
        assert all(map(alive, ours))


def test_what_a_killed_worker_left_is_told_from_what_a_success_left_at_the_same_moment(leaves):
    success = bg.submit("leaves.leave", {"name": "first", "wait": True})
    kept = pids(leaves, "first")
    killed = bg.submit("leaves.leave", {"name": "second", "wait": True})
    gone = pids(leaves, "second")
    with ended_in_the_end(*kept, *gone):
        server = helpers(leaves, "forkserver")[0]
        victim = worker(leaves, killed.id)
        os.kill(server, signal.SIGSTOP)  # so that it reaps both at once
        release(leaves)
        os.kill(victim, signal.SIGKILL)
        until(lambda: not alive(worker(leaves, success.id)), "the first end")
        os.kill(server, signal.SIGCONT)
        until(lambda: success.state.ended and killed.state.ended, "both ends")
        assert (success.state, killed.attempts[0].outcome) == ("succeeded", "lost")
        assert all(map(alive, kept))
        assert not any(map(alive, gone))
        [said] = [line for line in leaves.log().splitlines() if "left running: PID " in line]
        assert sorted(said.rpartition("PID ")[2].split(", ")) == sorted(map(str, kept))


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is to be had by root alone")
def test_a_mark_is_read_from_a_process_of_another_group_too():
    """The system call is refused there, also to the same user."""
    mark = process_mark.of_attempt("/there")
    put_on_mark = lambda: process_mark.apply(mark)  # noqa: E731 - named for the reader
    ids = {"user": 12345, "group": 12345, "extra_groups": []}
    child = subprocess.Popen(["sleep", "600"], **ids, preexec_fn=put_on_mark)  # noqa: PLW1509 - no threads here
    with ended_in_the_end(child.pid):
        reader = os.fork()
        if not reader:
            os.setresgid(12346, 12346, 12346)
            os.setresuid(12345, 12345, 12345)
            with contextlib.suppress(BaseException):
                with pytest.raises(PermissionError):
                    resource.prlimit(child.pid, resource.RLIMIT_NOFILE)
                os._exit(0 if process_mark.of_process(child.pid) == mark else 1)
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(reader, 0)[1]) == 0
    child.wait()


def test_an_attempt_has_one_mark_by_whatever_path_its_store_is_reached_and_whatever_links_it_makes(place):
    assert process_mark.of_process(os.getpid()) is None
    link = place.root / "link"
    link.symlink_to(place.state)
    own = place.state / "jobs" / "uid" / "1"
    mark = process_mark.of_attempt(str(own))
    assert process_mark.of_attempt(str(link / "jobs" / "uid" / "1")) == mark
    assert mark not in (
        process_mark.of_attempt(str(own.with_name("2"))),
        process_mark.of_attempt(str(place.code / "jobs" / "uid" / "1")),
    )
    own.parent.mkdir(parents=True)
    own.symlink_to(place.code)
    assert process_mark.of_attempt(str(own)) == mark


# -- what a job has submitted ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dead", [[], ["supervisor"], ["supervisor", "forkserver"]], ids=lambda dead: " and ".join(dead) or "none"
)
@pytest.mark.parametrize("end", ["killed", "cancelled"])
def test_what_a_job_has_submitted_to_another_store_outlives_it(leaves, end, dead):
    """The other supervisor descends from the job, and so do its fork server and the other job."""
    other = leaves.root / "other"
    (leaves.code / "go").touch()
    job = bg.submit("leaves.outer", {"state": str(other)})
    until(lambda: ran(leaves, "outer") and ran(leaves, "inner"), "both jobs")

    def three() -> set[int]:
        """Supervisor, fork server and worker; a fork bears their command line for a moment."""
        found = {pid for pid, line in leaves.processes().items() if f" {other} " in line}
        return found if len(found) == 3 else set()

    theirs = until(three, "the three processes of the other store")
    gone = [pid for role in dead for pid in theirs.intersection(helpers(leaves, role))]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in gone:
            os.kill(pid, number)
    theirs.difference_update(gone)
    if end == "killed":
        os.kill(worker(leaves, job.id), signal.SIGKILL)
    else:
        job.cancel(grace=1.0)
    until(lambda: job.state.ended, "its end")
    assert all(map(alive, theirs))
    release(leaves)
    found = subprocess.run(
        [sys.executable, "-m", "ipybgjobs", "wait", "1"],
        env=leaves.environment | {"IPYBGJOBS_STATE_DIR": str(other)},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert "succeeded" in found.stdout
    assert ran(leaves, "inner") == 1


def test_a_supervisor_that_a_job_has_started_for_its_own_store_ends_that_job_and_not_itself(leaves):
    job = bg.submit("leaves.outer", {"state": str(leaves.state)})
    until((leaves.code / "waits").exists, "its run")
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for role in ("forkserver", "supervisor"):
            os.kill(helpers(leaves, role)[0], number)
    (leaves.code / "go").touch()
    until(lambda: ran(leaves, "inner"), "what it submits")
    supervisor = of_role(leaves, "supervisor")
    assert [identity.state_of(pid).parent for pid in supervisor] == [worker(leaves, job.id)]
    job.cancel(grace=1.0)
    until(lambda: job.state.ended, "its end")
    assert job.state == "cancelled"
    assert of_role(leaves, "supervisor") == supervisor
    release(leaves)
    assert bg.job(job.id + 1).result(DEADLINE) == "inner"
    assert len(bg.job(job.id + 1).attempts) == 1


# -- what an attempt leaves that has ended by itself ----------------------------------------------------------------------


@pytest.mark.parametrize("fail", [False, True], ids=["returns", "raises"])
def test_what_a_job_leaves_is_named_wherever_it_is_shown_and_as_long_as_it_runs(leaves, capsys, fail):
    job = bg.submit("leaves.leave", {"fail": fail})
    job.wait(DEADLINE)
    left = pids(leaves)
    with ended_in_the_end(*left):
        assert sorted(each.pid for each in job.left_running()) == sorted(left)
        job.show()
        assert all(f"left running: PID {pid} " in capsys.readouterr().out for pid in left[:1])
        assert cli.main(["show", str(job.id)]) == 0
        shown = capsys.readouterr().out
        assert f"  left running: PID {left[0]} sleep 600 (since " in shown
        assert f"  left running: PID {left[2]} a fork of the job's own process (since " in shown
        assert cli.main(["show", str(job.id), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)["left_running"]
        assert {each["pid"]: each["command"] for each in found}[left[1]] == "/bin/sleep 600"
        assert f"PID {left[0]} sleep 600" in details.detail(job)["facts"]["left running"]
        assert "left running: PID " in leaves.log()
    until(lambda: not any(map(alive, left)), "their end")
    assert job.left_running() == []
    assert "left running" not in details.detail(job)["facts"]


def test_no_secret_of_a_job_is_shown_in_what_it_has_left_running(leaves):
    (leaves.code / "ready").touch()
    script = "sleep 600; : --password s3cr3t-word"
    job = bg.submit("leaves.shell", {"script": script})
    left = job.result(DEADLINE)
    with ended_in_the_end(left):
        [found] = [each for each in job.left_running() if each.pid == left]
        assert found.command.startswith("sh -c sleep 600")
        assert "s3cr3t" not in found.command


def test_with_end_children_what_a_job_leaves_is_asked_to_end_and_then_killed(leaves):
    allow(leaves, BackgroundJobs__end_children=True, BackgroundJobs__kill_grace_seconds=0.5)
    polite = f"trap 'touch {leaves.code}/asked; exit' TERM; touch {leaves.code}/ready; while :; do sleep 0.1; done"
    job = bg.submit("leaves.shell", {"script": polite})
    assert not alive(job.result(DEADLINE))
    assert (leaves.code / "asked").exists()
    (leaves.code / "ready").unlink()
    deaf = bg.submit("leaves.shell", {"script": f"trap '' TERM; touch {leaves.code}/ready; while :; do sleep 0.1; done"})
    left = deaf.result(DEADLINE)
    with ended_in_the_end(left):
        assert not alive(left)
        assert deaf.state == "succeeded"


def test_a_job_whose_timeout_is_over_while_what_it_has_left_is_ended_has_raised_what_it_has_raised(leaves):
    allow(leaves, BackgroundJobs__end_children=True, BackgroundJobs__kill_grace_seconds=6.0)
    deaf = f"trap '' TERM; touch {leaves.code}/ready; while :; do sleep 0.1; done"
    job = bg.submit("leaves.shell", {"script": deaf, "fail": True}, timeout=5.0)
    job.wait(DEADLINE)
    assert [each.outcome for each in job.attempts] == ["error"]
    assert job.left_running() == []


def test_with_end_children_forks_and_processes_without_environment_end_too(leaves):
    allow(leaves, BackgroundJobs__end_children=True)
    bg.submit("leaves.leave", {"fail": True}).wait(DEADLINE)
    left = pids(leaves)
    with ended_in_the_end(*left):
        assert not any(map(alive, left))


def test_the_doctor_names_what_jobs_have_left_running(leaves):
    job = bg.submit("leaves.leave")
    job.wait(DEADLINE)
    left = pids(leaves)
    with ended_in_the_end(*left):
        named = [value for name, value in doctor.examine().facts if name == "left running"]
        assert len(named) == len(left)
        assert any(f"job {job.id}: PID {left[0]} sleep 600 (since " in value for value in named)
    until(lambda: not any(map(alive, left)), "their end")
    assert not [value for name, value in doctor.examine().facts if name == "left running"]


# -- processes that nobody waits for --------------------------------------------------------------------------------------

#: A session in a container, from its first command until its supervisor has ended; says what the doctor says.
_SESSION = """
import os, sqlite3, subprocess, sys, time

def ran(*words):
    done = subprocess.run([sys.executable, "-m", "ipybgjobs", *words], capture_output=True, text=True)
    return [line for line in done.stdout.splitlines() if "zombies" in line]

def has_ended(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True

assert ran("doctor") == []
ran("submit", "leaves.hold")
ran("wait", "1")
[(pid,)] = sqlite3.connect(sys.argv[1]).execute("SELECT pid FROM supervisors")
while not has_ended(pid):
    time.sleep(0.05)
print(*ran("doctor"))
"""


@needs_namespaces
@pytest.mark.parametrize("reaps", [False, True], ids=["PID 1 reaps nothing", "PID 1 reaps"])
def test_the_doctor_says_where_nobody_waits_for_supervisors_that_end(leaves, reaps):
    release(leaves)
    session = [sys.executable, "-c", _SESSION, leaves.state / "jobs.db"]
    first = ["bash", "-c", '"$@"; true', "bash"] if reaps else []  # a shell that waits waits for all
    done = subprocess.run(
        [*ISOLATED, *first, *session], cwd=leaves.code, capture_output=True, text=True, check=True, timeout=DEADLINE
    )
    said = done.stdout.strip()
    if reaps:
        assert said == ""
    else:
        assert said.startswith("PROBLEM         1 process that has ended is still in the process table (zombies), because PID 1")
        assert "docker run --init" in said
