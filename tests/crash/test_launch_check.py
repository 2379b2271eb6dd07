"""What the configuration says at launch decides, whatever it said at the submit, and whoever wrote the row."""

import signal
import sys

import pytest

import ipybgjobs as bg
from ipybgjobs.model.records import Outcome
from support.driver import LAUNCH, driven
from support.joints import METHODS, allow, ran, release
from support.place import DEADLINE, Place, until
from support.processes import kill, kill_helpers, of_role
from support.rows import copied_row, ended, notice, open_store, outcomes, rows, state_of


def imports(place: Place) -> set[int]:
    """Who has imported the user's module."""
    path = place.code / "imported"
    return set(map(int, path.read_text().splitlines())) if path.exists() else set()


def delayed(place: Place) -> bg.Job:
    allow(place, RetryPolicy__max_attempts=30)
    bg.pause()
    return bg.submit("joints.note", {"name": "struck"}, delay=0.4)


def waiting_for_a_retry(place: Place) -> bg.Job:
    allow(place, RetryPolicy__max_attempts=30, RetryPolicy__delay_seconds=0.6)
    job = bg.submit("joints.fails")
    until(lambda: outcomes(job)[:1] == [(1, "error")], "the first failure")
    bg.pause()  # whichever attempt it has come to by now
    until(lambda: job.state == "retrying", "a failure that is followed by none")
    return job


@pytest.mark.parametrize("allowed", [["hold"], None], ids=["method struck off", "entry struck off"])
@pytest.mark.parametrize("waiting", [delayed, waiting_for_a_retry])
def test_a_method_struck_off_the_list_before_its_launch_is_denied_and_nothing_of_the_users_is_imported(joints, waiting, allowed):
    job = waiting(joints)
    before = len(job.attempts)
    imported = imports(joints)
    joints.allow({"work": ["echo"]} if allowed is None else {"joints": allowed}, RetryPolicy__max_attempts=30)
    bg.resume()
    until(lambda: job.state.ended, "the job's end")
    assert job.state == "failed"
    assert outcomes(job)[before:] == [(before + 1, "denied")]
    assert "allowlist" in job.error
    assert imports(joints) == imported
    assert ran(joints, "struck") == 0


def test_a_method_struck_off_while_its_job_waits_for_a_slot_is_denied(joints):
    joints.allow({"joints": METHODS}, BackgroundJobs__queues={"default": 1}, RetryPolicy__max_attempts=3)
    blocker = bg.submit("joints.hold", {"name": "blocker"})
    until(lambda: blocker.state == "running", "the blocker")
    job = bg.submit("joints.note", {"name": "struck"})
    until(lambda: ran(joints, "blocker"), "the blocker's run")
    imported = imports(joints)
    allow(joints, ["hold"], BackgroundJobs__queues={"default": 1}, RetryPolicy__max_attempts=3)
    release(joints)
    until(lambda: job.state.ended, "the job's end")
    assert (job.state, outcomes(job)) == ("failed", [(1, "denied")])
    assert imports(joints) == imported
    assert blocker.state == "succeeded"


@pytest.mark.parametrize("allowed", [["hold"], None], ids=["method struck off", "entry struck off"])
def test_a_method_struck_off_between_a_dead_supervisors_claim_and_the_next_launch_is_denied(joints, allowed):
    dead = driven(joints, f"LocalExecutor.ensure_fork_server = lambda self: None\n{LAUNCH['committed, no folder']}")
    job = bg.submit("joints.note", {"name": "struck"})
    assert dead.wait(DEADLINE) == -signal.SIGKILL
    joints.allow({"work": ["echo"]} if allowed is None else {"joints": allowed}, RetryPolicy__max_attempts=3)
    open_store()
    try:
        until(lambda: ended(joints), "the job's end", 20)
        assert (job.state, outcomes(job)[-1][1]) == ("failed", "denied")
        assert ran(joints, "struck") == 0
    finally:
        kill_helpers(joints)


@pytest.mark.parametrize("target", ["os.system", "joints.line", "joints.note.__call__", "os", ""])
def test_a_row_that_no_client_wrote_is_denied(joints, target):
    bg.submit("joints.note", {"name": "honest"}).wait(DEADLINE)
    imported = imports(joints)
    number = copied_row(joints, target=target, params='{"command": "true"}')
    open_store()
    until(lambda: ended(joints, number), "its end", 20)
    assert (state_of(joints, number), outcomes(bg.job(number))) == ("failed", [(1, Outcome.DENIED)])
    assert imports(joints) == imported


@pytest.mark.parametrize("column", ["params", "init", "positional", "rules"])
def test_a_row_that_can_not_be_read_keeps_no_other_job_from_running(joints, column):
    bg.submit("joints.note", {"name": "first"}).wait(DEADLINE)
    number = copied_row(joints, **{column: "no JSON"})
    bg.submit("joints.note", {"name": "second"})
    try:
        until(lambda: ended(joints, number + 1), "the job after it", 15)
        until(lambda: ended(joints, number), "its own end", 15)
    finally:
        kill_helpers(joints)
        rows(joints, "DELETE FROM attempts WHERE job_id = ?", (number,))
        rows(joints, "DELETE FROM jobs WHERE id = ?", (number,))
    assert ran(joints, "second") == 1


def test_a_file_that_is_broken_after_the_submit_holds_the_job_says_so_and_denies_nothing(joints):
    bg.pause()
    job = bg.submit("joints.note", {"name": "patient"})
    sound = joints.config_file.read_text()
    joints.config_file.write_text(sound + "c.BackgroundJobs.allowed_jobs = {\n")
    bg.resume()
    try:
        until(lambda: str(joints.config_file) in notice(joints), "a notice that names the file", 20)
        assert (job.state, job.attempts) == ("queued", [])
    finally:
        joints.config_file.write_text(sound)
    until(lambda: job.state == "succeeded", "the job's end once the file is mended", 20)
    assert outcomes(job) == [(1, "succeeded")]
    until(lambda: not notice(joints) or not joints.processes(), "the end of the notice")


def test_a_job_whose_configuration_was_removed_waits_and_runs_when_it_is_back(joints):
    bg.pause()
    job = bg.submit("joints.note", {"name": "patient"})
    away = joints.config_file.rename(joints.root / "away.py")
    bg.resume()
    try:
        until(lambda: str(joints.config_file) in notice(joints), "a notice that names the file", 20)
        assert (job.state, job.attempts) == ("queued", [])
    finally:
        away.rename(joints.config_file)
    until(lambda: job.state == "succeeded", "the job's end once the file is back", 20)


def test_an_evaluation_of_the_configuration_that_is_killed_is_repeated(joints):
    """Out of memory, say: nothing is wrong with the files, so nobody will ever touch them."""
    marker = joints.root / "slow"
    marker.touch()
    slow = f"import os, time\nwhile os.path.exists({str(marker)!r}):\n    time.sleep(0.01)\n"
    bg.pause()
    job = bg.submit("joints.note", {"name": "patient"})
    joints.config_file.write_text(slow + joints.config_file.read_text())
    bg.resume()
    [child] = until(lambda: of_role(joints, "configuration"), "the evaluation")
    marker.unlink()
    kill(child)
    try:
        until(lambda: job.state == "succeeded", "the job's end", 30)
    finally:
        kill_helpers(joints)


def test_an_interpreter_that_is_gone_holds_its_own_jobs_and_no_others(joints):
    assert bg.submit("joints.note", {"name": "first"}).result(DEADLINE) == "first"
    until(lambda: not joints.processes(), "the supervisor's end")
    rows(joints, "INSERT INTO contexts (body) SELECT replace(body, ?, '/gone/python') FROM contexts", (sys.executable,))
    held = copied_row(joints, context=2, environment=None)
    environment = "SELECT id FROM environments"
    bg.pause()
    job = bg.submit("joints.note", {"name": "sound"})
    rows(joints, f"UPDATE jobs SET environment = ({environment}) WHERE id = ?", (held,))
    bg.resume()
    try:
        until(lambda: ended(joints, job.id), "the job's end", 20)
        until(lambda: "/gone/python" in notice(joints), "the notice", 20)
        assert state_of(joints, held) == "queued"
    finally:
        rows(joints, "UPDATE jobs SET state = 'cancelled' WHERE id = ?", (held,))
        kill_helpers(joints)
