"""Jobs that come after others: which outcome they wait for, and what becomes of them without it."""

import time

import pytest

import ipybgjobs as bg
from ipybgjobs.client.jobs.job_list import JobList
from support.attempts import AT_ONCE, ended, outcomes, started
from support.control import one_sentence
from support.place import until

pytestmark = pytest.mark.shared_place


def test_what_comes_after_can_be_named_in_many_ways_and_starts_when_all_have_succeeded(control):
    first, second = control.held("first", name="early"), control.held("second")
    several = (first.id, "early", first.uid, [first, second], iter([first, second.id]), JobList([second]), (second.uid,))
    jobs = [bg.submit("control.note", {"name": "late"}, after=each) for each in several]
    assert [job.after for job in jobs][:4] == [[first.id]] * 3 + [[first.id, second.id]]
    assert [job.status for job in jobs[:2]] == [f"queued, depends on job {first.id}"] * 2
    control.go("first")
    for job in jobs[:3]:
        assert started(job.wait(60)) >= ended(first)
    control.probe()
    assert jobs[3].status == f"queued, depends on job {second.id}"  # the other has finished
    assert [job.state for job in jobs[3:]] == ["queued"] * 4
    control.go("second")
    assert all(started(job.wait(60)) >= ended(second) for job in jobs[3:])
    assert control.runs("late") == 7


def test_the_name_and_the_uid_of_a_group_mean_all_its_jobs(control):
    group = bg.submit_many("control.note", [{"name": "a"}, {"name": "b"}], name="both", delay="1h")
    for given in ("both", group.uid, group, ["both"]):
        job = bg.submit("control.note", after=given)
        assert job.after == [each.id for each in group.jobs]
        job.cancel()
    assert bg.submit("control.note", after_any=str(group.jobs[0].id)).cancel().after == [group.jobs[0].id]
    group.cancel()


def test_a_name_of_both_a_job_and_a_group_is_refused_with_what_means_which(control):
    group = bg.submit_many("control.note", [{"name": "a"}], name="twice", delay="1h")
    job = bg.submit("control.note", name="twice", delay="1h")
    with pytest.raises(bg.InvalidParameters) as refused:
        bg.submit("control.note", after="twice")
    said = str(refused.value)
    assert said.startswith(
        f"'twice' is the name of job {job.id} and of group {group.id}: pass {job.id} for the job, or '{group.uid}'"
    )
    group.cancel()
    job.cancel()


def test_what_no_job_and_no_group_is_named_is_refused(control):
    with pytest.raises(bg.UnknownJob, match="There is no job with name or uid 'nothing'"):
        bg.submit("control.note", after="nothing")


def test_when_a_job_fails_what_needs_its_success_fails_too_and_what_does_not_runs(control):
    first = control.held("first")
    failing = bg.submit("control.fails", after=first)
    needs = bg.submit("control.note", {"name": "needs"}, after=failing)
    needs_it_too = bg.submit("control.note", {"name": "needs"}, after=[needs, first])
    does_not = bg.submit("control.note", {"name": "does not"}, after_any=[failing, needs])
    control.go("first")
    assert does_not.result(60) == "does not"
    assert needs.error == f"job {failing.id} (control.fails), which it depends on, failed"
    assert needs_it_too.error == f"job {needs.id} (control.note), which it depends on, failed"
    with pytest.raises(bg.JobFailed, match=rf"job {needs.id} .*job {failing.id} \(control\.fails\).* failed"):
        needs.result(60)
    assert (needs.attempts, needs_it_too.attempts, control.runs("needs")) == ([], [], 0)
    assert started(does_not) >= ended(failing)
    until(lambda: f"job {needs.id} failed before it started" in control.place.log(), "the line in the log")


def test_when_a_job_is_cancelled_what_needs_its_success_fails_and_what_does_not_runs(control):
    for first in (control.held(), bg.submit("control.note", delay="1h")):
        needs = bg.submit("control.note", after=first, retry=AT_ONCE)
        does_not = bg.submit("control.note", after_any=first)
        first.cancel()
        assert does_not.result(60) == "note"
        assert (needs.state, needs.error) == ("failed", f"job {first.id} ({first.target}), which it depends on, was cancelled")
        assert needs.attempts == []


@pytest.mark.crash
def test_a_chain_and_a_diamond_keep_their_order_though_the_supervisor_is_killed(control):
    top = control.held("top")
    sides = [bg.submit("control.hold", {"name": name}, after=top) for name in ("left", "right")]
    bottom = bg.submit("control.note", after=sides)
    last = bg.submit("control.note", after=bottom)
    control.crash()
    control.go("top", "left")
    sides[0].wait(60)
    until(lambda: control.runs("right"), "the right side")
    control.crash()
    control.probe()
    assert (bottom.state, last.state) == ("queued", "queued")
    control.go("right")
    assert last.result(60) == "note"
    assert ended(top) <= min(map(started, sides))
    assert max(map(ended, sides)) <= started(bottom) <= ended(bottom) <= started(last)
    assert len(bottom.attempts) == 1


def test_a_job_may_come_after_a_group(control):
    group = bg.submit_many("control.hold", [{"name": name} for name in ("one", "two")])
    job = bg.submit("control.note", after=group)
    several = bg.submit_many("control.note", [{}, {}], after=[job, group])
    assert job.after == [each.id for each in group]
    control.go("one")
    group.jobs[0].wait(60)
    control.probe()
    assert job.status == f"queued, depends on job {group.jobs[1].id}"
    control.go("two")
    assert several.results(60) == ["note"] * 2
    assert min(map(started, several)) >= ended(job) >= max(map(ended, group))


def test_one_failure_in_a_group_counts(control):
    blocking = control.held(queue="one")
    group = bg.submit_many("control.fails", [{"name": "never", "runs": 0}, {"name": "always"}], queue="one")
    needs, does_not = bg.submit("control.note", after=group), bg.submit("control.note", after_any=group)
    control.go("hold")
    assert does_not.result(60) == "note"
    assert group.counts == {"succeeded": 1, "failed": 1}
    assert (blocking.state, needs.state) == ("succeeded", "failed")
    assert needs.error == f"job {group.jobs[1].id} (control.fails), which it depends on, failed"


def test_a_job_that_is_retried_by_rule_has_not_ended_yet(control):
    first = bg.submit("control.holds_from_its_second_run", {"name": "first"}, retry=AT_ONCE)
    second, third = bg.submit("control.note", after=first), bg.submit("control.note", after_any=first)
    until(lambda: control.runs("first") == 2, "the second run")
    control.probe()
    assert (second.state, third.state) == ("queued", "queued")
    control.go("first")
    assert (second.result(60), third.result(60)) == ("note", "note")
    assert min(started(second), started(third)) >= ended(first)


def test_a_job_that_is_denied_at_launch_counts_as_failed(control):
    blocking = control.held(queue="one")
    first = bg.submit("control.sleeps", queue="one")
    needs, does_not = bg.submit("control.note", after=first), bg.submit("control.note", after_any=first)
    control.configure(names=["hold", "note"])
    control.go("hold")
    assert does_not.result(20) == "note"  # nothing else wakes the supervisor
    assert (blocking.state, outcomes(first), needs.state) == ("succeeded", ["denied"], "failed")
    assert needs.error == f"job {first.id} (control.sleeps), which it depends on, failed"


def test_a_job_may_come_after_one_that_has_ended_already(control):
    succeeded = bg.submit("control.note").wait(60)
    failed = bg.submit("control.fails").wait(60)
    cancelled = bg.submit("control.note", delay="1h").cancel()
    assert bg.submit("control.note", after=succeeded, after_any=[failed, cancelled]).result(60) == "note"
    before = len(bg.jobs())
    with pytest.raises(
        bg.InvalidRequest, match=f"job {failed.id} failed, so a job that depends on its success can't run"
    ) as refused:
        bg.submit("control.note", after=[succeeded, failed])
    assert one_sentence(refused.value)
    with pytest.raises(bg.InvalidRequest, match=rf"job {cancelled.id} was cancelled, so .*retry it first, or use after_any\."):
        bg.submit_many("control.note", [{}, {}], after=cancelled)
    assert len(bg.jobs()) == before


@pytest.mark.own_place
@pytest.mark.parametrize("params", [None, {"name": "other"}], ids=["as it was", "changed"])
def test_what_needs_a_job_that_failed_and_was_removed_is_not_retried_without_it(control, params):
    first = control.held()
    succeeded, failing = bg.submit("control.note", after=first), bg.submit("control.fails", after=first)
    needs, needs_both = bg.submit("control.note", after=succeeded), bg.submit("control.note", after=[succeeded, failing])
    until(lambda: len(bg.jobs(state="queued")) == 4, "the jobs that wait")
    needs.cancel()
    control.go("hold")
    assert needs_both.wait(60).state == "failed"
    failing.remove()
    succeeded.wait(60).remove()
    before = len(bg.jobs())
    with pytest.raises(
        bg.InvalidRequest, match=rf"job {needs_both.id} depends on job {failing.id}, which did not succeed and was removed"
    ) as refused:
        needs_both.retry(params)
    assert one_sentence(refused.value)
    assert bg.jobs(state="failed").retry() == []
    assert (len(bg.jobs()), needs_both.state, control.runs("other")) == (before, "failed", 0)
    assert needs.retry(params).result(60) == (params or {"name": "note"})["name"]


def test_a_job_waits_for_its_time_and_for_the_one_that_it_comes_after(control):
    before, delays = time.time(), (0.05, 0.8)
    first = control.held()
    jobs = [bg.submit("control.note", after=first, delay=delay) for delay in delays]
    until(lambda: time.time() > before + 0.2, "some time")
    control.probe()
    assert [job.state for job in jobs] == ["queued"] * 2
    control.go("hold")
    for job, delay in zip(jobs, delays, strict=True):
        assert started(job.wait(60)) >= max(ended(first), before + delay)


@pytest.mark.own_place
def test_a_job_that_is_named_twice_counts_once(control):
    group = bg.submit_many("control.hold", [{"name": "hold"}])
    [first] = group.jobs
    ways = [
        {"after": [first, first.id, first.uid]},
        {"after_any": [first, first]},
        {"after": first, "after_any": first},
        {"after": [group, first]},
    ]
    jobs = [bg.submit("control.note", **way) for way in ways]
    assert {job.status for job in jobs} == {f"queued, depends on job {first.id}"}
    control.go("hold")
    assert [job.result(20) for job in jobs] == ["note"] * 4
    assert min(map(started, jobs)) >= ended(first)


def test_a_job_that_is_named_to_succeed_and_to_end_has_to_succeed(control):
    first = control.held()
    job = bg.submit("control.note", after=first, after_any=first)
    first.cancel()
    control.probe()
    state = job.state
    if state == "queued":
        job.cancel()
    assert (state, job.attempts) == ("failed", [])


def test_a_job_that_ends_a_second_time_lets_go_of_nothing_twice(control):
    """It failed, was retried by hand, and fails again: the other job that is waited for still runs."""
    before, other = control.held("before"), control.held("other")
    failing = bg.submit("control.fails", {"name": "failing"}, after=before)
    job = bg.submit("control.note", {"name": "late"}, after_any=[failing, other])
    control.go("before")
    failing.wait(60)
    failing.retry().wait(60)
    control.probe()
    control.probe()
    ran = control.runs("late")
    control.go("other")
    job.wait(60)
    assert (outcomes(failing), ran) == (["error", "error"], 0)
    assert started(job) >= ended(other)


def test_a_job_that_failed_with_another_is_retried_by_hand_after_that_one(control):
    before = control.held("before")
    first = bg.submit("control.holds_from_its_second_run", {"name": "first"}, after=before)
    second = bg.submit("control.note", {"name": "second"}, after=first)
    control.go("before")
    assert second.wait(60).state == "failed"
    with pytest.raises(bg.InvalidRequest, match=rf"job {second.id} depends on job {first.id}.*: retry job {first.id} first\."):
        second.retry()
    first.retry()
    second.retry()
    control.probe()
    assert (second.status, second.attempts) == (f"queued, depends on job {first.id}", [])
    control.go("first")
    assert second.result(60) == "second"
    assert started(second) >= ended(first)
