"""A job that waits for another one: whom it waits for is shown, and a wait that could never end is an error."""

import contextlib
import os
import time

import pytest

import ipybgjobs as bg
from ipybgjobs.client.jobs import attempt_folders, deadlock
from ipybgjobs.client.jobs.deadlock import WaitGraph
from ipybgjobs.commands import cli
from ipybgjobs.state import attempt, current_job
from ipybgjobs.system import private_file
from support.place import DEADLINE, until

ALLOWED = {"parents": ["parent", "itself"], "work": ["echo"], "work.Trainer": ["sleep"]}


@pytest.fixture
def parents(place):
    """A place with one slot in its default queue, and one in another."""
    place.module("parents")
    place.allow(ALLOWED, BackgroundJobs__queues={"default": 1, "other": 1})
    return place


def test_a_job_that_waits_for_a_job_of_its_own_full_queue_is_told_so(parents):
    ways = ["result", "wait", "exception", "await", "as_completed", "group"]
    parents.allow(ALLOWED, BackgroundJobs__queues=dict.fromkeys(ways, 1))
    jobs = [bg.submit("parents.parent", {"how": way, "queue": way}, queue=way) for way in ways]
    for job, way in zip(jobs, ways, strict=True):
        error = job.exception(DEADLINE)
        assert isinstance(error, bg.Deadlock)
        assert f"which can't start: the only slot of the queue {way} is taken by a job that waits." in str(error)
        assert f"to another queue, or give {way} more slots (BackgroundJobs.queues)." in str(error)
    children = bg.jobs(target="work.echo")
    assert {job.result(DEADLINE) for job in children} == {1, 2, 5}  # they have the slots now
    assert len(children) == len(ways) + 2


def test_of_two_that_hold_all_slots_one_makes_room_for_the_other(parents):
    parents.allow({"parents": ["parent"], "work": ["echo"]}, BackgroundJobs__queues={"default": 2})
    go = parents.root / "go"
    both = [bg.submit("parents.parent", {"go": str(go)}) for _ in range(2)]
    until(lambda: all(job.state == "running" for job in both), "both")
    go.touch()
    found = [job.wait(DEADLINE).exception() for job in both]
    assert sorted(type(error) for error in found if error) == [bg.Deadlock]
    assert [job.result() for job, error in zip(both, found, strict=True) if error is None] == [5]


def test_a_job_that_waits_for_itself_is_told_so(parents):
    error = bg.submit("parents.itself").wait(DEADLINE).exception()
    assert isinstance(error, bg.Deadlock)
    assert "neither can finish" in str(error)


def test_a_wait_with_a_time_out_ends_by_itself(parents):
    assert bg.submit("parents.parent", {"how": "time-out"}).result(DEADLINE) == "late"


def test_for_whom_a_job_waits_is_shown_and_no_longer_once_it_goes_on(parents, capsys):
    parent = bg.submit("parents.parent", {"queue": "other"})
    child = until(lambda: next(iter(bg.jobs(queue="other", state="running")), None), "its child")
    until(lambda: "waiting for" in parent.status, "the wait")
    assert parent.status == f"running, waiting for job {child.id}"
    cli.run(["show", str(parent.id)])
    assert f"waiting for job {child.id}" in capsys.readouterr().out
    time.sleep(deadlock._CONFIRMATIONS + 1)  # as long as a standstill takes to be found
    assert parent.state == "running"
    child.cancel()
    assert isinstance(parent.exception(DEADLINE), bg.JobCancelled)
    assert not os.path.exists(f"{attempt_folders.newest(parent.state_folder, parent.attempts)}/{attempt.WAITING}")


def test_what_a_job_has_not_said_for_some_time_does_not_count(tmp_path):
    private_file.write_json(str(tmp_path), attempt.WAITING, {"jobs": [3, "x", True]})
    assert deadlock.awaited_jobs(str(tmp_path)) == {3}
    assert deadlock.awaited_jobs(str(tmp_path), lambda: time.time() + 60) == frozenset()
    for odd in ("[" * 5000, '{"jobs": 3}', "[]", ""):
        (tmp_path / attempt.WAITING).write_text(odd)
        assert deadlock.awaited_jobs(str(tmp_path)) == frozenset()


@pytest.mark.parametrize(
    ("running", "queued", "waits", "slots", "stuck"),
    [
        ({1: "a"}, {2: "a"}, {1: {2}}, {"a": 1}, {1}),
        ({1: "a"}, {2: "a"}, {1: {2}}, {"a": 2}, set()),  # a slot is free
        ({1: "a", 3: "a"}, {2: "a"}, {1: {2}}, {"a": 2}, set()),  # the other one will end
        ({1: "a", 3: "a"}, {2: "a", 4: "a"}, {1: {2}, 3: {4}}, {"a": 2}, {1, 3}),
        ({1: "a", 3: "b"}, {2: "b", 4: "a"}, {1: {2}, 3: {4}}, {"a": 1, "b": 1}, {1, 3}),  # in a circle of queues
        ({1: "a", 3: "b"}, {2: "b"}, {1: {2}}, {"a": 1, "b": 1}, set()),
        ({1: "a"}, {2: "a"}, {1: {2}}, {}, set()),  # paused, or unknown
        ({1: "a"}, {}, {1: {2}}, {"a": 1}, set()),  # it has ended, or is elsewhere
        ({1: "a", 2: "a"}, {}, {1: {2}, 2: {1}}, {"a": 2}, {1, 2}),
        ({1: "a"}, {}, {1: {1}}, {"a": 2}, {1}),
        ({1: "a", 5: "b"}, {2: "a"}, {1: {2, 5}}, {"a": 1, "b": 1}, set()),  # one of those that it waits for runs
        ({1: "a"}, {2: "a"}, {1: set()}, {"a": 1}, set()),
    ],
)
def test_only_who_could_never_go_on_is_stuck(running, queued, waits, slots, stuck):
    scene = WaitGraph(running, queued, {job: frozenset(others) for job, others in waits.items()}, slots)
    assert scene.deadlocked() == stuck


class Stuck:
    """A store in which two jobs hold all slots, and each waits for a job of their queue."""

    def wait_graph(self):
        return WaitGraph({1: "a", 3: "a"}, {2: "a", 4: "a"}, {1: frozenset({2}), 3: frozenset({4})}, {"a": 2})


@pytest.mark.parametrize(("job_id", "other", "told"), [(1, 2, False), (3, 4, True)])
def test_of_those_that_are_stuck_the_newest_is_told_and_only_after_several_looks(tmp_path, job_id, other, told):
    job = current_job.CurrentJob(job_id, "uid", None, 1, str(tmp_path))
    wait = deadlock._Wait(Stuck(), lambda: [other], job)
    for _ in range(deadlock._CONFIRMATIONS - 1):
        wait.check()
    assert deadlock.awaited_jobs(str(tmp_path)) == {other}
    with pytest.raises(bg.Deadlock, match="all slots of the queue a are taken") if told else contextlib.nullcontext():
        wait.check()
    wait.end()
    assert deadlock.awaited_jobs(str(tmp_path)) == frozenset()
