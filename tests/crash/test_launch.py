"""Claim and launch: whoever dies there, each attempt starts once, and says which way it was launched."""

import os
import signal
import textwrap
from pathlib import Path

import pytest

import ipybgjobs as bg
from ipybgjobs.client import client as client_module
from ipybgjobs.state.folder import StateFolder
from ipybgjobs.system import place as where
from support.driver import LAUNCH, driven
from support.joints import ran, release
from support.place import DEADLINE, Place, until
from support.processes import alive, forks, kill, of_role, stopped
from support.rows import ended, open_store, outcomes, rows, state_of

# -- claim and launch ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("boundary", LAUNCH)
def test_a_supervisor_killed_around_a_launch_is_replaced_and_the_method_runs_once(joints, boundary):
    dead = driven(joints, LAUNCH[boundary])
    bg.submit("joints.note", {"name": "once"})
    assert dead.wait(DEADLINE) == -signal.SIGKILL
    until(lambda: ended(joints), "the job's end, with no client there")
    assert outcomes(bg.job(1)) == [(1, "succeeded")]
    assert ran(joints, "once") == 1


def test_a_worker_whose_folder_was_taken_away_before_it_began_ends_without_a_traceback(joints):
    moved = joints.root / "moved"
    taken = driven(joints, "", f"before(worker, 'redirect_output', lambda *_: os.rename({str(joints.state)!r}, {str(moved)!r}))")
    bg.submit("joints.note", {"name": "late"})
    assert taken.wait(DEADLINE) == 0
    until(lambda: not joints.processes(), "the end of all")
    assert "Traceback" not in (moved / "supervisor.err").read_text()
    assert ran(joints, "late") == 0


def test_supervisors_killed_around_a_launch_again_and_again_do_not_use_up_the_attempts(joints):
    for patch in (LAUNCH["committed, no folder"], LAUNCH["a request, not sent"], LAUNCH["a folder, no request"]):
        # Without a fork server that would start another.
        dead = driven(joints, f"LocalExecutor.ensure_fork_server = lambda self: None\n{textwrap.dedent(patch)}")
        if not rows(joints, "SELECT * FROM jobs"):
            bg.submit("joints.note", {"name": "once"})
        assert dead.wait(DEADLINE) == -signal.SIGKILL
    assert state_of(joints) == "running"
    open_store()
    assert bg.job(1).result(DEADLINE) == "once"
    assert outcomes(bg.job(1)) == [(1, "succeeded")]
    assert ran(joints, "once") == 1


def test_a_start_request_that_outlives_its_supervisor_starts_nothing_a_second_time(joints):
    dead = driven(
        joints,
        """
        stop_server = lambda self, _: os.kill(self._servers[-1].process.pid, signal.SIGSTOP)
        before(LocalExecutor, "launch", stop_server, lambda _, launches: launches)
        after(LocalExecutor, "launch", die, lambda _, __, launches: launches)
        """,
    )
    [forkserver] = until(lambda: of_role(joints, "forkserver"), "a fork server")
    bg.submit("joints.note", {"name": "once"})
    assert dead.wait(DEADLINE) == -signal.SIGKILL
    assert stopped(forkserver)
    open_store()
    until(lambda: ended(joints), "the job's end")
    os.kill(forkserver, signal.SIGCONT)
    until(lambda: not alive(forkserver), "the end of the fork server whose request came late")
    assert ran(joints, "once") == 1
    assert rows(joints, "SELECT number, launches, outcome FROM attempts") == [(1, 2, "succeeded")]


def test_a_worker_that_comes_too_late_to_claim_its_start_runs_nothing(joints):
    """It is stopped between its fork and its claim; meanwhile its supervisor dies, and the next one voids the start."""
    supervisor = driven(joints, "", "before(run, 'perform', stop)")
    [forkserver] = until(lambda: of_role(joints, "forkserver"), "a fork server")
    bg.submit("joints.note", {"name": "once"})
    [late] = until(lambda: [pid for pid in forks(joints) if stopped(pid)], "a stopped worker")
    kill(supervisor.pid)
    supervisor.wait()
    until(lambda: ended(joints), "the job's end")
    assert ran(joints, "once") == 1
    assert stopped(late)
    os.kill(late, signal.SIGCONT)
    until(lambda: not alive(forkserver), "the end of the first fork server")
    assert ran(joints, "once") == 1
    assert rows(joints, "SELECT number, launches, outcome FROM attempts") == [(1, 2, "succeeded")]


def test_a_cancel_of_an_attempt_that_a_dead_supervisor_never_launched_ends_it_unstarted(joints):
    dead = driven(joints, f"LocalExecutor.ensure_fork_server = lambda self: None\n{LAUNCH['committed, no folder']}")
    job = bg.submit("joints.note", {"name": "never"})
    assert dead.wait(DEADLINE) == -signal.SIGKILL
    assert state_of(joints) == "running"
    rows(
        joints,
        "INSERT INTO requests (job_id, place, verb, options, requested_at) VALUES (1, ?, 'cancel', '{\"grace\": null}', 0)",
        (where.here(),),
    )
    open_store()
    until(lambda: ended(joints), "the job's end")
    assert outcomes(job) == [(1, "cancelled")]
    assert ran(joints, "never") == 0
    assert "Traceback" not in (joints.state / "supervisor.err").read_text()


_SECRET = "s3cret-" + "x" * 20


def files_with(place: Place, text: str) -> list[str]:
    files = [path for path in place.state.rglob("*") if path.is_file()]
    return [str(path.relative_to(place.state)) for path in files if text.encode() in content(path)]


def content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""  # gone since it was listed, as SQLite's helper files go


@pytest.mark.parametrize("boundary", ["a folder, no request", "a request, not sent", "sent"])
def test_environment_variables_go_with_the_job_though_its_supervisor_died_around_the_launch(joints, monkeypatch, boundary):
    monkeypatch.setenv("MY_TOKEN", _SECRET)
    dead = driven(joints, LAUNCH[boundary])
    bg.submit("joints.note", {"name": "once"})
    assert dead.wait(DEADLINE) == -signal.SIGKILL
    until(lambda: ended(joints), "the job's end")
    client_module.client().database(StateFolder(str(joints.state))).close()
    until(lambda: not files_with(joints, _SECRET), f"the end of the variables in {files_with(joints, _SECRET)}", 10)


def test_environment_variables_that_a_dead_supervisor_left_in_the_stores_log_go_with_the_next(joints, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", _SECRET)
    dead = driven(
        joints, """before(Database, "checkpoint", die, lambda self: self.read("SELECT 1 FROM jobs WHERE state > 's'"))"""
    )
    bg.submit("joints.note", {"name": "once"})
    assert dead.wait(DEADLINE) == -signal.SIGKILL
    assert ended(joints)
    monkeypatch.delenv("MY_TOKEN")
    bg.submit("joints.note", {"name": "other"})
    until(lambda: not files_with(joints, _SECRET), "the end of the variables in the store's log", 15)


def test_an_attempt_whose_folder_can_not_be_written_can_be_cancelled(joints):
    bg.pause()
    job = bg.submit("joints.note", {"name": "never"})
    (joints.state / "jobs" / job.uid).write_text("in the way")
    bg.resume()
    until(lambda: job.state == "running", "the claim")
    client = client_module.client()
    client.cancel(client.folder(), [job.id], 0.1)
    try:
        until(lambda: job.state == "cancelled", "the cancel", 15)
    finally:
        (joints.state / "jobs" / job.uid).unlink()
    assert ran(joints, "never") == 0


# -- which way an attempt was launched ----------------------------------------------------------------------------------


def test_how_and_why_an_attempt_was_launched_is_recorded(joints, monkeypatch):
    held = bg.submit("joints.hold", {"name": "first"})
    until(lambda: held.state == "running", "the first job")
    monkeypatch.setenv("MALLOC_ARENA_MAX", "3")
    other = bg.submit("joints.note", {"name": "second"}).wait(DEADLINE)
    release(joints)
    held.wait(DEADLINE)
    [first], [second] = held.attempts, other.attempts
    assert (first.launched_by, first.launch_reason, first.outcome) == ("fork", None, "succeeded")
    assert (second.launched_by, second.outcome) == ("fresh process", "succeeded")
    assert "interpreter" in second.launch_reason


def test_an_attempt_that_is_launched_again_another_way_says_so(joints, monkeypatch):
    dead = driven(joints, f"LocalExecutor.ensure_fork_server = lambda self: None\n{LAUNCH['committed, no folder']}")
    job = bg.submit("joints.note", {"name": "once"})
    assert dead.wait(DEADLINE) == -signal.SIGKILL
    monkeypatch.setenv("MALLOC_ARENA_MAX", "3")  # what the next supervisor starts with
    open_store()
    job.wait(DEADLINE)
    [attempt] = job.attempts
    assert (attempt.launched_by, attempt.outcome) == ("fresh process", "succeeded")
    assert attempt.launch_reason
