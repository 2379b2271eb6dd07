"""Priorities: which of the jobs that wait starts first, and changes while they wait."""

import pytest

import ipybgjobs as bg
from ipybgjobs.commands.cli import main
from support.attempts import started

pytestmark = pytest.mark.shared_place


@pytest.mark.crash
def test_a_priority_that_is_changed_while_queued_decides_what_starts_next(control):
    blocking = control.held("blocking", queue="one")
    jobs = [bg.submit("control.note", {"name": name}, queue="one") for name in "abcd"]
    jobs[0].set_priority(-1)
    assert bg.job(jobs[2].id).set_priority(5) == jobs[2]
    assert main(["priority", str(jobs[3].id), "--to", "7"]) == 0
    assert [job.priority for job in jobs] == [-1, 0, 5, 7]
    jobs[3].set_priority(1)
    control.crash()
    control.go("blocking")
    blocking.result(60)
    order = sorted(jobs, key=lambda job: started(job.wait(60)))
    assert order == [jobs[2], jobs[3], jobs[1], jobs[0]]


def test_a_job_that_waits_for_another_or_for_its_time_can_be_given_a_priority_too(control):
    first = control.held("first")
    second = bg.submit("control.note", after=first).set_priority(3)
    third = bg.submit("control.note", delay="1h").set_priority(4)
    assert (second.priority, third.priority) == (3, 4)
    assert second.status == f"queued, depends on job {first.id}"
    control.go("first")
    second.result(60)
    third.cancel()


def test_only_a_queued_job_can_be_given_a_priority(control):
    job = control.held()
    for state in ("running", "succeeded"):
        with pytest.raises(bg.InvalidRequest, match=rf"job {job.id} is not queued \({state}\); only the priority of"):
            job.set_priority(3)
        control.go("hold")
        job.wait(60)
    assert job.priority == 0


def test_a_wrong_priority_is_refused_and_the_old_one_stays(control):
    job = bg.submit("control.note", priority=2, delay="1h")
    for priority in (1.5, "high", None, True, 10**18, -(10**18)):
        with pytest.raises(bg.InvalidParameters, match=r"priority must be an integer of at most 18 digits"):
            job.set_priority(priority)
    assert job.priority == 2
    job.cancel()
