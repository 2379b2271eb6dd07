"""Reuse, retry by hand, remove and clean in a terminal."""

import contextlib
import json
import re
import subprocess
import sys

import pytest

import ipybgjobs as bg
from ipybgjobs.commands.cli import main
from ipybgjobs.configuration.settings import Settings
from ipybgjobs.state.folder import StateFolder
from ipybgjobs.store.database import Database
from ipybgjobs.supervisor import retention
from support.cleanup import DAY, age, everything, idle
from support.place import DEADLINE, running, until

pytestmark = pytest.mark.shared_place


@pytest.fixture
def run(calc, capsys):
    """Runs a command line; returns what it printed, parsed where it is JSON."""

    def command(line, status=0):
        words = line.split()
        capsys.readouterr()
        found = main(words)
        said = capsys.readouterr()
        assert found == status, said
        if status:
            assert said.out == ""
            assert said.err.count("\n") == 1, said.err
            return said.err.rstrip("\n")
        return json.loads(said.out) if "--json" in words else said.out

    return command


@pytest.mark.crash
@pytest.mark.own_place
def test_the_verbs_work_through_the_module_with_their_exit_statuses(calc):
    def command(*words):
        done = subprocess.run(
            [sys.executable, "-m", "ipybgjobs", *words],
            cwd=calc.code,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    bg.submit("calc.needs", {"lr": 0.5}).wait(60)
    status, said, _ = command("retry", "1", "lr=2", "--json")
    assert (status, [job["retried_from"] for job in json.loads(said)]) == (0, [1])
    assert bg.job(2).result(60) == [2, None, 0]
    status, said, _ = command("clean")
    assert status == 0
    assert re.fullmatch(r"2 jobs, [\d.]+ kB on disk would be removed; add --yes to remove them\n", said)
    assert command("remove", "1")[:2] == (0, "removed job 1\n")
    assert command("remove", "1")[0] == 1
    assert command("remove")[0] == 2
    assert [job.id for job in bg.jobs()] == [2]


@pytest.mark.own_place
def test_remove_in_a_terminal(run):
    bg.submit_many("calc.add", bg.grid(a=range(3)), name="three").wait(60)
    bg.submit("calc.add", {"a": 1}, name="named").wait(60)
    assert run("remove named --json") == {"removed": [4]}
    assert run("remove 1") == "removed job 1\n"
    assert run("remove --group three") == "removed job 2, job 3\n"
    assert bg.jobs() == []


@pytest.mark.own_place
def test_a_job_that_is_named_twice_is_removed_once(run):
    bg.submit("calc.add", {"a": 1}, name="named").wait(60)
    assert run("remove 1 named") == "removed job 1\n"
    assert bg.jobs() == []


@pytest.mark.own_place
def test_clean_in_a_terminal(run, calc):
    bg.submit("calc.add", {"a": 1}).wait(60)
    bg.submit("calc.fails").wait(60)
    age(calc, bg.submit("calc.add", {"a": 2}).wait(60), 9 * DAY)
    said = run("clean --json")
    assert (said["jobs"], said["removed"]) == (3, False)
    assert said["bytes"] > 0
    assert run("clean --older-than 7d --json")["jobs"] == 1
    assert run("clean --state failed --state cancelled --json")["jobs"] == 1
    assert run("clean --keep-jobs 1 --json")["jobs"] == 2
    assert len(bg.jobs()) == 3
    assert re.fullmatch(r"removed 1 job, [\d.]+ kB on disk\n", run("clean --older-than 1w --yes"))
    assert run("clean --yes --json")["removed"] is True
    assert bg.jobs() == []
    assert run("clean") == "0 jobs, 0 B on disk would be removed\n"


def test_keep_in_a_terminal(run):
    bg.submit("calc.add", {"a": 1}).wait(60)
    assert [job["kept"] for job in run("keep 1 --json")] == [True]
    assert "kept       yes" in run("show 1")
    assert run("clean --json")["jobs"] == 0
    assert [job["kept"] for job in run("keep 1 --no --json")] == [False]
    assert "kept" not in run("show 1")
    assert run("clean --json")["jobs"] == 1


@pytest.mark.own_place
def test_retry_in_a_terminal(run, calc):
    bg.submit("calc.needs", {"lr": 0.5}).wait(60)
    bg.submit("calc.needs", {"lr": 0.25}, name="second").wait(60)
    [new] = run("retry 1 lr=2 token=abcd --json")
    assert (new["id"], new["retried_from"]) == (3, 1)
    assert bg.job(3).result(60) == [2, None, 4]
    assert "retry of   1" in run("show 3")
    assert {job["id"] for job in run("retry --failed --json")} == {1, 2}
    bg.jobs().wait(60)
    assert [len(bg.job(number).attempts) for number in (1, 2, 3)] == [2, 2, 1]
    assert [job["id"] for job in run("retry second --json")] == [2]
    bg.job(2).wait(60)
    assert {job["retried_from"] for job in run("retry --failed lr=5 --json")} == {1, 2}
    assert {job.result(60)[0] for job in bg.jobs(limit=2)} == {5}
    bg.jobs(state="failed").wait(60)
    for job in bg.jobs(state="failed"):
        job.remove()
    assert run("retry --failed --json") == []


@pytest.mark.own_place
def test_retry_of_a_group_in_a_terminal(run):
    group = bg.submit_many("calc.needs", bg.grid(lr=[0.5, 1]), name="g").wait(60)
    assert [job["id"] for job in run("retry --group g --json")] == [1]
    group.wait(60)
    assert [len(job.attempts) for job in group] == [2, 1]


@pytest.mark.crash
@pytest.mark.own_place
def test_priority_pause_and_resume_in_a_terminal(run):
    assert run("pause gpu --json") == {"paused": ["gpu"]}
    job = bg.submit("calc.add", {"a": 1}, queue="gpu", name="held")
    bg.submit("calc.add", {"a": 2}, queue="gpu")
    assert bg.submit("calc.add", {"a": 3}).wait(60)
    assert [(each["priority"], each["state"]) for each in run("priority held 2 --to 5 --json")] == [(5, "queued")] * 2
    line = r"job 1 · held · calc\.add\(a=1\) · queued, held: the queue gpu is paused \(since [0-9:]+\)\n"
    assert re.fullmatch(line, run("priority 1 --to -3"))
    assert "the queue gpu is paused" in run("list")
    assert "gpu" in run("doctor")
    assert run("resume gpu") == "resumed: gpu\n"
    job.wait(60)
    bg.job(2).wait(60)
    assert job.attempts[0].started_at > bg.job(2).attempts[0].started_at
    assert run("pause") == "paused: default, gpu; running jobs continue\n"
    assert run("resume --json") == {"resumed": ["default", "gpu"]}
    assert run("resume") == "resumed: nothing was paused\n"


@pytest.mark.own_place
def test_cancel_and_list_of_a_group_in_a_terminal(run):
    group = bg.submit_many("calc.nap", [{"seconds": 0.0}, {"seconds": 300.0}, {"seconds": 300.0}], name="g")
    group.jobs[0].wait(60)
    running(group.jobs[1])
    assert len(run("list --group g").splitlines()) == 3
    assert {job["id"] for job in run("cancel --group g --grace 5s --json")} == {2, 3}
    assert [(job["id"], job["state"]) for job in run("list --group g --json")] == [
        (3, "cancelled"),
        (2, "cancelled"),
        (1, "succeeded"),
    ]
    assert [job["id"] for job in run("list --group 1 --state cancelled --json")] == [3, 2]


@pytest.mark.own_place
def test_the_priority_of_a_group_is_that_of_the_jobs_that_still_wait(run):
    bg.submit_many("calc.nap", [{"seconds": 0.0}], name="g").wait(60)
    group = bg.submit_many("calc.nap", [{"seconds": 300.0}] * 4, name="g")
    running(group.jobs[0])
    running(group.jobs[1])
    assert {job["id"] for job in run("priority --group g --to 5 --json")} == {4, 5}
    assert [job.priority for job in group] == [0, 0, 5, 5]
    group.cancel()


@pytest.fixture
def four(calc):
    """Job 1 has succeeded, 2 has failed, 3 runs, 4 waits."""
    bg.submit("calc.add", {"a": 1}).wait(60)
    bg.submit("calc.fails").wait(60)
    running(bg.submit("calc.nap"))
    bg.submit("calc.add", {"a": 1}, delay="1h")
    yield calc
    bg.jobs().cancel()


#: Command lines that make no sense, by verb: exit status, and what the refusal names.
REFUSED = {
    "remove": [
        ("remove 3", 1, ["job 3 is running", "cancel it"]),
        ("remove 1 4", 1, ["job 4 is queued", "cancel it"]),
        ("remove 99", 1, ["99", "bgjobs list"]),
        ("remove 1 99", 1, ["99"]),
        ("remove nobody", 1, ["nobody"]),
        ("remove", 2, ["--group"]),
        ("remove 1 --group g", 2, ["not both"]),
        ("remove --group g", 1, ["no group 'g'"]),
        ("remove --group 99999999999999999999999", 1, ["no group '99999999999999999999999'"]),
    ],
    "clean": [
        ("clean --state running --yes", 1, ["running", "Live jobs"]),
        ("clean --older-than soon --yes", 1, ["older_than", "soon"]),
        ("clean --keep-jobs -1 --yes", 1, ["keep_jobs", "-1"]),
        ("clean --keep-jobs many --yes", 2, ["--keep-jobs", "many"]),
        ("clean 1", 2, ["1"]),
    ],
    "keep": [
        ("keep 99", 1, ["99"]),
        ("keep", 2, ["--group"]),
    ],
    "retry": [
        ("retry 1", 1, ["job 1 can't be retried (succeeded)"]),
        ("retry 3", 1, ["job 3 can't be retried (running)"]),
        ("retry 3 seconds=1", 1, ["job 3 can't be retried (running)"]),
        ("retry 4", 1, ["job 4 can't be retried (queued)"]),
        ("retry 2 3", 1, ["job 3 can't be retried (running)"]),
        ("retry 2 rate=1", 1, ["rate"]),
        ("retry 2 lr=fast", 1, ["lr", "fast"]),
        ("retry 1 2 lr=5", 1, ["lr"]),
        ("retry lr=2", 2, ["--group"]),
        ("retry", 2, ["--group"]),
        ("retry 2 --failed", 2, ["--failed"]),
        ("retry --failed --group g", 2, ["--failed"]),
        ("retry 2 =5", 2, ["=5"]),
    ],
    "priority": [
        ("priority 4", 2, ["--to"]),
        ("priority 4 --to high", 2, ["high"]),
        ("priority 4 --to 99999999999999999999", 1, ["priority", "99999999999999999999"]),
        ("priority 1 --to 5", 1, ["job 1 is not queued (succeeded)", "queued"]),
        ("priority 4 3 --to 5", 1, ["job 3 is not queued (running)"]),
    ],
    "pause": [
        ("pause nowhere", 1, ["nowhere", "default, gpu"]),
    ],
    "resume": [
        ("resume nowhere", 1, ["nowhere", "default, gpu"]),
        ("resume gpu", 1, ["gpu is not paused"]),
    ],
    "cancel": [
        ("cancel 1", 1, ["job 1 has already succeeded"]),
        ("cancel 4 1", 1, ["job 1 has already succeeded"]),
        ("cancel 4 --grace soon", 1, ["grace", "soon"]),
        ("cancel 4 --grace -1", 1, ["grace", "-1"]),
        ("cancel --group nobody", 1, ["no group 'nobody'"]),
    ],
    "list": [
        ("list --state done", 1, ["done", "succeeded"]),
        ("list --limit -1", 2, ["limit", "-1"]),
        ("list --limit 0", 2, ["limit", "at least 1"]),
        ("list --group nobody", 1, ["no group 'nobody'"]),
    ],
}


@pytest.mark.own_place
def test_a_command_that_makes_no_sense_is_one_sentence_and_changes_nothing(four, run):
    before = everything(four)
    for line, status, names in (case for cases in REFUSED.values() for case in cases):
        said = run(line, status)
        assert [name for name in names if name not in said] == []
        assert everything(four) == before, line


@pytest.mark.own_place
def test_a_job_that_was_cancelled_is_said_to_have_been(run):
    bg.submit("calc.add", {"a": 1}, delay="1h").cancel()
    assert "job 1 was already cancelled" in run("cancel 1", 1)


@pytest.mark.own_place
def test_a_limit_of_any_size_lists_everything(run):
    bg.submit("calc.add", {"a": 1}).wait(60)
    for line in ("list --limit 99999999999999999999", "list --state succeeded --limit 99999999999999999999"):
        assert run(line).startswith("job 1 · ")


def test_a_tidier_that_has_nothing_to_do_keeps_no_supervisor_from_ending(calc, monkeypatch):
    bg.submit("calc.add", {"a": 1}).wait(60)
    idle(calc)
    monkeypatch.setattr(retention, "_LATER", retention._SOON)  # so that its next look is always near
    folder = StateFolder(str(calc.state))
    with contextlib.closing(Database(folder.database, durable=False)) as database:
        cleanup, settings = retention.Retention(folder, database), Settings()
        assert cleanup.busy
        until(lambda: (cleanup.step(settings), not cleanup.busy)[1], "the end of its work")
        for _ in range(3):
            cleanup.step(settings)
            assert not cleanup.busy
