"""Full control: queues and slots, pausing, priorities, times, order, cancelling, time-outs, deadlines, unique keys, bad input.

Where it makes sense, the supervisor is killed in between.
"""

import contextlib
import datetime as dt
import itertools
import os
import pathlib
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import ipybgjobs as bg
from ipybgjobs.cli import main
from ipybgjobs.joblist import JobList
from support.driver import driven
from support.jobs import functions
from support.place import until

NAMES = functions("control")

#: Retry at once.
AT_ONCE = {"max_attempts": 3, "delay_seconds": 0}

_DEADLINE = "its deadline (retry_until) has passed"


class Desk:
    """What a test does with its place."""

    def __init__(self, place):
        self.place = place

    def configure(self, names=NAMES, **settings):
        """Write the configuration whole, since a supervisor may read it at any moment."""
        settings = {"queues": {"default": 4, "one": 1, "probe": 1}, "idle_seconds": 0.1, "kill_grace_seconds": 0.3} | settings
        final = self.place.config_file
        self.place.config_file = final.with_suffix(".new")
        self.place.allow({"control": list(names)}, **{f"BackgroundJobs__{name}": value for name, value in settings.items()})
        os.replace(self.place.config_file, final)
        self.place.config_file = final

    def go(self, *names):
        """Let jobs go on that hold."""
        for name in names:
            (self.place.code / f"go.{name}").touch()

    def runs(self, name):
        """How often something was marked."""
        path = self.place.code / f"ran.{name}"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def held(self, called="hold", **options):
        """A job that runs until it may go on."""
        job = bg.submit("control.hold", {"name": called}, **options)
        until(lambda: self.runs(called), f"the run of {called}")
        return job

    def probe(self):
        """When this returns, the supervisor has decided anew what starts: a job of another queue has run."""
        bg.submit("control.note", {"name": "probe"}, queue="probe").result(60)

    def crash(self):
        """Kill the supervisor; the fork server, or whoever waits for a job, sees to another."""
        pid = until(self.place.supervisor_pid, "a supervisor")
        os.kill(pid, signal.SIGKILL)
        until(lambda: not is_alive(pid), "its end")


@pytest.fixture
def desk(place):
    place.module("control")
    made = Desk(place)
    made.configure()
    return made


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def outcomes(job):
    return [attempt.outcome for attempt in job.attempts]


def runs_now(job):
    until(lambda: job.state == "running" and job.log(), f"job {job.id} running")
    return job


def started(job):
    return job.attempts[0].started_at


def ended(job):
    return job.attempts[-1].ended_at


def one_sentence(text):
    """Whether a refusal is what a person can read at a glance; a usage may follow it."""
    return "\n" not in str(text).strip() and len(str(text).partition(" (usage: ")[0]) < 400


# -- slots ------------------------------------------------------------------------------------------------------------


def test_jobs_that_run_at_once_never_share_a_slot(desk):
    desk.configure(queues={"gpu": {"slots": 3, "env": {"CARD": "{slot}"}}})
    jobs = [bg.submit("control.alone_in_its_slot", queue="gpu") for _ in range(9)]
    assert [job.result(60) for job in jobs] == [str(job.attempts[0].slot) for job in jobs]
    assert {job.attempts[0].slot for job in jobs} <= {0, 1, 2}
    assert started(jobs[0]) == min(map(started, jobs))
    assert jobs[0].attempts[0].slot == 0


def test_the_next_supervisor_knows_which_slots_are_taken(desk):
    desk.configure(queues={"gpu": {"slots": 2, "env": {"CARD": "card {slot}"}}})
    first, second = desk.held("first", queue="gpu"), desk.held("second", queue="gpu")
    third = bg.submit("control.variables", {"names": ["CARD"]}, queue="gpu")
    assert (first.attempts[0].slot, second.attempts[0].slot) == (0, 1)
    desk.crash()
    desk.go("first")
    assert third.result(60) == ["card 0", "card 0", "card 0"]
    assert third.attempts[0].slot == 0
    assert started(third) >= ended(first)
    desk.go("second")
    second.result(60)
    assert len(second.attempts) == 1


def test_more_slots_count_at_once_and_end_nothing(desk):
    first = desk.held("first", queue="one")
    second = bg.submit("control.note", {"name": "second"}, queue="one")
    desk.probe()
    assert second.state == "queued"
    desk.configure(queues={"one": 2, "probe": 1})
    assert second.wait(60).attempts[0].slot == 1
    assert (first.state, first.attempts[0].slot, desk.runs("first")) == ("running", 0, 1)
    desk.go("first")
    assert first.result(60) == "first"


def test_fewer_slots_count_at_once_and_end_nothing(desk):
    names = ["a", "b", "c"]
    desk.configure(queues={"gpu": 3, "probe": 1})
    jobs = [desk.held(name, queue="gpu") for name in names]
    assert [job.attempts[0].slot for job in jobs] == [0, 1, 2]
    desk.configure(queues={"gpu": 1, "probe": 1})
    late = bg.submit("control.note", {"name": "late"}, queue="gpu")
    for name in names:
        desk.probe()
        assert (late.state, late.attempts) == ("queued", [])
        desk.go(name)
        jobs[names.index(name)].result(60)
    assert late.wait(60).attempts[0].slot == 0
    assert started(late) >= max(map(ended, jobs))
    assert [outcomes(job) for job in jobs] == [["succeeded"]] * 3


def test_a_slot_beyond_the_new_number_of_slots_is_counted_and_not_given_again(desk):
    desk.configure(queues={"gpu": 3, "probe": 1})
    jobs = [desk.held(name, queue="gpu") for name in ("a", "b", "c")]
    desk.configure(queues={"gpu": 2, "probe": 1})
    waiting = [bg.submit("control.hold", {"name": name}, queue="gpu") for name in ("d", "e")]
    desk.go("a", "b")
    until(lambda: desk.runs("d"), "the run of d, beside c")
    desk.probe()
    assert [job.state for job in waiting] == ["running", "queued"]
    desk.go("c", "d", "e")
    assert [job.wait(60).attempts[0].slot for job in (*jobs, *waiting)][:4] == [0, 1, 2, 0]
    assert waiting[1].attempts[0].slot in (0, 1)


def test_the_variables_of_a_queue_reach_its_jobs_from_the_start_and_no_others(desk, monkeypatch):
    monkeypatch.setenv("CARD", "the caller's")
    desk.configure(queues={"gpu": {"slots": 1, "env": {"CARD": "{slot}", "TEXT": "a {b} {slot}{slot} $HOME"}}})
    names = ["CARD", "TEXT"]
    for _ in range(2):
        in_gpu = bg.submit("control.variables", {"names": names}, queue="gpu")
        elsewhere = bg.submit("control.variables", {"names": names})
        assert in_gpu.result(60) == ["0", "0", "a {b} 00 $HOME", "0"]
        assert elsewhere.result(60) == ["the caller's", "the caller's", None, "the caller's"]
        assert (in_gpu.attempts[0].launched_by, elsewhere.attempts[0].launched_by) == ("fork", "fork")


def test_variables_that_act_at_the_start_of_an_interpreter_are_given_to_a_fresh_process(desk):
    env = {"PYTHONHASHSEED": "{slot}", "LD_LIBRARY_PATH": "/nowhere/{slot}"}
    desk.configure(queues={"seeded": {"slots": 1, "env": env}, "linked": {"env": {"LD_LIBRARY_PATH": "/nowhere"}}})
    jobs = [bg.submit("control.hash_of_text", queue=queue) for queue in ("seeded", "seeded", "linked", "default")]
    results = [job.result(60) for job in jobs]
    assert results[0] == results[1]
    assert results[0][1:] == (0, "/nowhere/0")
    assert [result[1:] for result in results[2:]] == [(1, "/nowhere"), (1, os.environ.get("LD_LIBRARY_PATH"))]
    attempts = [job.attempts[0] for job in jobs]
    assert [attempt.launched_by for attempt in attempts] == ["fresh process"] * 3 + ["fork"]
    assert all("its queue sets variables" in attempt.launch_reason for attempt in attempts[:3])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "'gpu' .*0.* whole number, at least 1"),
        (-1, "'gpu' .*-1.* whole number, at least 1"),
        (True, "'gpu' .*True.* whole number, at least 1"),
        ("2", "'gpu' .*'2'.* whole number, at least 1"),
        (1.5, "'gpu' .*1.5.* whole number, at least 1"),
        ({"slots": 0}, "'gpu' has slots 0; it is a whole number, at least 1"),
        ({"slots": True}, "'gpu' has slots True"),
        ({"slots": 1, "envs": {}}, "'gpu' sets 'envs'; it may set slots and env"),
        ({"env": ["CARD"]}, "'gpu' has env"),
        ({"env": {"CARD": 0}}, "the variable 'CARD' to 0; both are text"),
        ({"env": {"A=B": "0"}}, "the variable 'A=B'"),
        ({"env": {"": "0"}}, "the variable ''"),
    ],
)
def test_a_queue_that_is_set_wrongly_is_refused(desk, value, said):
    desk.configure(queues={"gpu": value})
    with pytest.raises(bg.ConfigurationError, match=said) as refused:
        bg.submit("control.note", queue="gpu")
    assert str(desk.place.config_file) in str(refused.value)
    assert not desk.place.processes()


def test_a_queue_set_wrongly_while_jobs_wait_holds_them_and_says_so(desk):
    first = desk.held("first", queue="one")
    second = bg.submit("control.note", {"name": "second"}, queue="one")
    desk.configure(queues={"one": -3})
    desk.go("first")
    first.wait(60)
    until(lambda: "held: " in second.status, "why it waits")
    assert second.state == "queued"
    assert str(desk.place.config_file) in second.status
    desk.configure()
    assert second.result(60) == "second"


# -- pausing ----------------------------------------------------------------------------------------------------------


def test_a_paused_queue_starts_nothing_and_what_runs_goes_on(desk):
    running = desk.held("running", queue="one")
    waiting = bg.submit("control.note", {"name": "waiting"}, queue="one")
    assert bg.pause("one") == ["one"]
    assert bg.pause("one") == ["one"]
    later = bg.submit("control.note", {"name": "later"}, queue="one")
    desk.go("running")
    assert running.result(60) == "running"
    desk.probe()
    assert [job.status for job in (waiting, later)] == ["queued, held: the queue one is paused"] * 2
    desk.crash()
    desk.probe()
    assert (waiting.attempts, later.attempts) == ([], [])
    assert later.cancel().state == "cancelled"
    assert bg.resume("one") == ["one"]
    assert waiting.result(60) == "waiting"
    with pytest.raises(bg.InvalidRequest, match=r"The queue one is not paused; jobs of it start as soon as it has a slot\."):
        bg.resume("one")


def test_all_queues_can_be_paused_and_resumed_at_once(desk):
    running = desk.held("running")
    assert bg.pause() == ["default", "one", "probe"]
    jobs = [bg.submit("control.note", queue=queue) for queue in ("default", "one")]
    desk.go("running")
    running.result(60)
    desk.crash()
    with pytest.raises(TimeoutError, match=rf"job {jobs[0].id} did not finish within 0\.3 s; .*the queue default is paused"):
        jobs[0].wait(0.3)
    assert bg.resume("one") == ["one"]
    assert jobs[1].result(60) == "note"
    assert jobs[0].state == "queued"
    assert bg.resume() == ["default", "probe"]
    assert jobs[0].result(60) == "note"
    assert bg.resume() == []


def test_a_retry_waits_while_its_queue_is_paused(desk):
    job = bg.submit("control.holds_from_its_second_run", {"name": "again"}, retry={"max_attempts": 2, "delay_seconds": 0.3})
    until(lambda: desk.runs("again") == 1, "the first run")
    bg.pause("default")
    until(lambda: "held: the queue default is paused" in job.status, "why it waits")
    desk.probe()
    assert (job.state, desk.runs("again")) == ("queued", 1)
    desk.go("again")
    bg.resume()
    assert job.result(60) == "second run"


def test_a_queue_is_paused_and_resumed_from_a_terminal(desk, capsys):
    capsys.readouterr()
    assert main(["pause", "one"]) == 0
    assert capsys.readouterr().out == "paused: one; running jobs go on\n"
    job = bg.submit("control.note", queue="one")
    desk.probe()
    assert main(["show", str(job.id)]) == 0
    assert "held: the queue one is paused" in capsys.readouterr().out
    assert main(["resume"]) == 0
    assert capsys.readouterr().out == "resumed: one\n"
    assert job.result(60) == "note"
    assert main(["resume", "one"]) == 1
    assert one_sentence(capsys.readouterr().err)


# -- priority ---------------------------------------------------------------------------------------------------------


def test_a_priority_that_is_changed_while_queued_decides_what_starts_next(desk):
    blocking = desk.held("blocking", queue="one")
    jobs = [bg.submit("control.note", {"name": name}, queue="one") for name in "abcd"]
    jobs[0].set_priority(-1)
    assert bg.job(jobs[2].id).set_priority(5) == jobs[2]
    assert main(["priority", str(jobs[3].id), "--to", "7"]) == 0
    assert [job.priority for job in jobs] == [-1, 0, 5, 7]
    jobs[3].set_priority(1)
    desk.crash()
    desk.go("blocking")
    blocking.result(60)
    order = sorted(jobs, key=lambda job: started(job.wait(60)))
    assert order == [jobs[2], jobs[3], jobs[1], jobs[0]]


def test_a_job_that_waits_for_another_or_for_its_time_can_be_given_a_priority_too(desk):
    first = desk.held("first")
    second = bg.submit("control.note", after=first).set_priority(3)
    third = bg.submit("control.note", delay="1h").set_priority(4)
    assert (second.priority, third.priority) == (3, 4)
    assert second.status == f"queued, comes after job {first.id}"
    desk.go("first")
    second.result(60)
    third.cancel()


def test_only_a_queued_job_can_be_given_a_priority(desk):
    job = desk.held()
    for state in ("running", "succeeded"):
        with pytest.raises(bg.InvalidRequest, match=rf"job {job.id} is {state}; only a queued job has a place in its queue"):
            job.set_priority(3)
        desk.go("hold")
        job.wait(60)
    assert job.priority == 0


def test_a_wrong_priority_is_refused_and_the_old_one_stays(desk):
    job = bg.submit("control.note", priority=2, delay="1h")
    for priority in (1.5, "high", None, True, 10**18, -(10**18)):
        with pytest.raises(bg.InvalidParameters, match=r"priority is .*whole number of at most 18 digits"):
            job.set_priority(priority)
    assert job.priority == 2
    job.cancel()


# -- delay and time of the calendar -----------------------------------------------------------------------------------


@pytest.fixture
def zone(monkeypatch):
    """Half an hour off everybody else's."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield dt.timezone(dt.timedelta(hours=5, minutes=30))
    monkeypatch.undo()
    time.tzset()


def test_a_job_starts_at_a_time_of_the_calendar_and_says_it_with_its_zone(desk, zone):
    at = dt.datetime.now(zone) + dt.timedelta(seconds=1.2)
    elsewhere = at.astimezone(dt.timezone(dt.timedelta(hours=-3)))
    jobs = [bg.submit("control.note", at=each) for each in (str(at.replace(tzinfo=None)), at, elsewhere.isoformat())]
    assert {job.status for job in jobs} == {f"queued, starts at {at:%Y-%m-%d %H:%M:%S} IST"}
    desk.crash()
    assert all(started(job.wait(60)) >= at.timestamp() - 0.001 for job in jobs)


def test_a_clock_s_time_is_the_next_one(desk, zone):
    then = dt.datetime.now(zone) - dt.timedelta(minutes=2)
    job = bg.submit("control.note", at=f"{then:%H:%M}")
    assert job.status == f"queued, starts at {then + dt.timedelta(days=1):%Y-%m-%d %H:%M}:00 IST"
    job.cancel()


def test_a_delay_is_kept_whatever_the_supervisor_goes_through(desk):
    before = time.time()
    job = bg.submit("control.note", delay="1s")
    assert job.status.startswith("queued, starts at ")
    desk.crash()
    job.result(60)
    assert started(job) >= before + 1


# -- order ------------------------------------------------------------------------------------------------------------


def test_what_comes_after_can_be_named_in_many_ways_and_starts_when_all_have_succeeded(desk):
    first, second = desk.held("first", name="early"), desk.held("second")
    several = (first.id, "early", first.uid, [first, second], iter([first, second.id]), JobList([second]), (second.uid,))
    jobs = [bg.submit("control.note", {"name": "late"}, after=each) for each in several]
    assert [job.after for job in jobs][:4] == [[first.id]] * 3 + [[first.id, second.id]]
    assert [job.status for job in jobs[:2]] == [f"queued, comes after job {first.id}"] * 2
    desk.go("first")
    for job in jobs[:3]:
        assert started(job.wait(60)) >= ended(first)
    desk.probe()
    assert jobs[3].status == f"queued, comes after job {first.id}, job {second.id}"
    assert [job.state for job in jobs[3:]] == ["queued"] * 4
    desk.go("second")
    assert all(started(job.wait(60)) >= ended(second) for job in jobs[3:])
    assert desk.runs("late") == 7


def test_when_a_job_fails_what_needs_its_success_fails_too_and_what_does_not_runs(desk):
    first = desk.held("first")
    failing = bg.submit("control.fails", after=first)
    needs = bg.submit("control.note", {"name": "needs"}, after=failing)
    needs_it_too = bg.submit("control.note", {"name": "needs"}, after=[needs, first])
    does_not = bg.submit("control.note", {"name": "does not"}, after_any=[failing, needs])
    desk.go("first")
    assert does_not.result(60) == "does not"
    assert needs.error == f"job {failing.id} (control.fails), which it comes after, has failed"
    assert needs_it_too.error == f"job {needs.id} (control.note), which it comes after, has failed"
    with pytest.raises(bg.JobFailed, match=rf"job {needs.id} .*job {failing.id} \(control\.fails\).* has failed"):
        needs.result(60)
    assert (needs.attempts, needs_it_too.attempts, desk.runs("needs")) == ([], [], 0)
    assert started(does_not) >= ended(failing)
    until(lambda: f"job {needs.id} failed before it started" in desk.place.log(), "the line in the log")


def test_when_a_job_is_cancelled_what_needs_its_success_fails_and_what_does_not_runs(desk):
    for first in (desk.held(), bg.submit("control.note", delay="1h")):
        needs = bg.submit("control.note", after=first, retry=AT_ONCE)
        does_not = bg.submit("control.note", after_any=first)
        first.cancel()
        assert does_not.result(60) == "note"
        assert (needs.state, needs.error) == ("failed", f"job {first.id} ({first.target}), which it comes after, was cancelled")
        assert needs.attempts == []


def test_a_chain_and_a_diamond_keep_their_order_though_the_supervisor_is_killed(desk):
    top = desk.held("top")
    sides = [bg.submit("control.hold", {"name": name}, after=top) for name in ("left", "right")]
    bottom = bg.submit("control.note", after=sides)
    last = bg.submit("control.note", after=bottom)
    desk.crash()
    desk.go("top", "left")
    sides[0].wait(60)
    until(lambda: desk.runs("right"), "the right side")
    desk.crash()
    desk.probe()
    assert (bottom.state, last.state) == ("queued", "queued")
    desk.go("right")
    assert last.result(60) == "note"
    assert ended(top) <= min(map(started, sides))
    assert max(map(ended, sides)) <= started(bottom) <= ended(bottom) <= started(last)
    assert len(bottom.attempts) == 1


def test_a_job_may_come_after_a_group(desk):
    group = bg.submit_many("control.hold", [{"name": name} for name in ("one", "two")])
    job = bg.submit("control.note", after=group)
    several = bg.submit_many("control.note", [{}, {}], after=[job, group])
    assert job.after == [each.id for each in group]
    desk.go("one")
    group.jobs[0].wait(60)
    desk.probe()
    assert job.status == f"queued, comes after {', '.join(f'job {each.id}' for each in group)}"
    desk.go("two")
    assert several.results(60) == ["note"] * 2
    assert min(map(started, several)) >= ended(job) >= max(map(ended, group))


def test_one_failure_in_a_group_counts(desk):
    blocking = desk.held(queue="one")
    group = bg.submit_many("control.fails", [{"name": "never", "runs": 0}, {"name": "always"}], queue="one")
    needs, does_not = bg.submit("control.note", after=group), bg.submit("control.note", after_any=group)
    desk.go("hold")
    assert does_not.result(60) == "note"
    assert group.counts == {"succeeded": 1, "failed": 1}
    assert (blocking.state, needs.state) == ("succeeded", "failed")
    assert needs.error == f"job {group.jobs[1].id} (control.fails), which it comes after, has failed"


def test_a_job_that_is_retried_by_rule_has_not_ended_yet(desk):
    first = bg.submit("control.holds_from_its_second_run", {"name": "first"}, retry=AT_ONCE)
    second, third = bg.submit("control.note", after=first), bg.submit("control.note", after_any=first)
    until(lambda: desk.runs("first") == 2, "the second run")
    desk.probe()
    assert (second.state, third.state) == ("queued", "queued")
    desk.go("first")
    assert (second.result(60), third.result(60)) == ("note", "note")
    assert min(started(second), started(third)) >= ended(first)


def test_a_job_that_is_denied_at_launch_counts_as_failed(desk):
    blocking = desk.held(queue="one")
    first = bg.submit("control.sleeps", queue="one")
    needs, does_not = bg.submit("control.note", after=first), bg.submit("control.note", after_any=first)
    desk.configure(names=["hold", "note"])
    desk.go("hold")
    assert does_not.result(20) == "note"  # nothing else wakes the supervisor
    assert (blocking.state, outcomes(first), needs.state) == ("succeeded", ["denied"], "failed")
    assert needs.error == f"job {first.id} (control.sleeps), which it comes after, has failed"


def test_a_job_may_come_after_one_that_has_ended_already(desk):
    succeeded = bg.submit("control.note").wait(60)
    failed = bg.submit("control.fails").wait(60)
    cancelled = bg.submit("control.note", delay="1h").cancel()
    assert bg.submit("control.note", after=succeeded, after_any=[failed, cancelled]).result(60) == "note"
    before = len(bg.jobs())
    with pytest.raises(bg.InvalidRequest, match=f"job {failed.id} has failed, so nothing can come after its success") as refused:
        bg.submit("control.note", after=[succeeded, failed])
    assert one_sentence(refused.value)
    with pytest.raises(bg.InvalidRequest, match=rf"job {cancelled.id} was cancelled, so .*retry it first, or use after_any\."):
        bg.submit_many("control.note", [{}, {}], after=cancelled)
    assert len(bg.jobs()) == before


@pytest.mark.parametrize("params", [None, {"name": "other"}], ids=["as it was", "changed"])
def test_what_needs_a_job_that_failed_and_was_removed_is_not_retried_without_it(desk, params):
    first = desk.held()
    succeeded, failing = bg.submit("control.note", after=first), bg.submit("control.fails", after=first)
    needs, needs_both = bg.submit("control.note", after=succeeded), bg.submit("control.note", after=[succeeded, failing])
    until(lambda: len(bg.jobs(state="queued")) == 4, "the jobs that wait")
    needs.cancel()
    desk.go("hold")
    assert needs_both.wait(60).state == "failed"
    failing.remove()
    succeeded.remove()
    before = len(bg.jobs())
    with pytest.raises(
        bg.InvalidRequest, match=rf"job {needs_both.id} comes after job {failing.id}, which did not succeed and was removed"
    ) as refused:
        needs_both.retry(params)
    assert one_sentence(refused.value)
    assert bg.jobs(state="failed").retry() == []
    assert (len(bg.jobs()), needs_both.state, desk.runs("other")) == (before, "failed", 0)
    assert needs.retry(params).result(60) == (params or {"name": "note"})["name"]


def test_a_job_waits_for_its_time_and_for_the_one_that_it_comes_after(desk):
    before, delays = time.time(), (0.05, 0.8)
    first = desk.held()
    jobs = [bg.submit("control.note", after=first, delay=delay) for delay in delays]
    until(lambda: time.time() > before + 0.2, "some time")
    desk.probe()
    assert [job.state for job in jobs] == ["queued"] * 2
    desk.go("hold")
    for job, delay in zip(jobs, delays, strict=True):
        assert started(job.wait(60)) >= max(ended(first), before + delay)


def test_a_job_that_is_named_twice_counts_once(desk):
    group = bg.submit_many("control.hold", [{"name": "hold"}])
    [first] = group.jobs
    ways = [
        {"after": [first, first.id, first.uid]},
        {"after_any": [first, first]},
        {"after": first, "after_any": first},
        {"after": [group, first]},
    ]
    jobs = [bg.submit("control.note", **way) for way in ways]
    assert {job.status for job in jobs} == {f"queued, comes after job {first.id}"}
    desk.go("hold")
    assert [job.result(20) for job in jobs] == ["note"] * 4
    assert min(map(started, jobs)) >= ended(first)


def test_a_job_that_is_named_to_succeed_and_to_end_has_to_succeed(desk):
    first = desk.held()
    job = bg.submit("control.note", after=first, after_any=first)
    first.cancel()
    desk.probe()
    state = job.state
    if state == "queued":
        job.cancel()
    assert (state, job.attempts) == ("failed", [])


def test_a_job_that_ends_a_second_time_lets_go_of_nothing_twice(desk):
    """It failed, was retried by hand, and fails again: the other job that is waited for still runs."""
    failing = bg.submit("control.fails", {"name": "failing"}, delay=0.1)
    other = desk.held("other")
    job = bg.submit("control.note", {"name": "late"}, after_any=[failing, other])
    failing.wait(60)
    failing.retry().wait(60)
    desk.probe()
    desk.probe()
    ran = desk.runs("late")
    desk.go("other")
    job.wait(60)
    assert (outcomes(failing), ran) == (["error", "error"], 0)
    assert started(job) >= ended(other)


def test_a_job_that_failed_with_another_is_retried_by_hand_after_that_one(desk):
    first = bg.submit("control.holds_from_its_second_run", {"name": "first"}, delay=0.2)
    second = bg.submit("control.note", {"name": "second"}, after=first).wait(60)
    assert second.state == "failed"
    with pytest.raises(bg.InvalidRequest, match=rf"job {second.id} comes after job {first.id}.*: retry job {first.id} first\."):
        second.retry()
    first.retry()
    second.retry()
    desk.probe()
    assert (second.status, second.attempts) == (f"queued, comes after job {first.id}", [])
    desk.go("first")
    assert second.result(60) == "second"
    assert started(second) >= ended(first)


# -- cancelling -------------------------------------------------------------------------------------------------------


def test_a_list_is_cancelled_whole_trees_waiting_ones_and_all(desk):
    done = bg.submit("control.note").wait(60)
    families = [runs_now(bg.submit("control.has_a_family", retry=AT_ONCE)) for _ in range(2)]
    clean = runs_now(bg.submit("control.cleans_up", {"name": "clean"}, retry=AT_ONCE))
    queued, delayed = bg.submit("control.note", after=clean), bg.submit("control.note", {"name": "never"}, delay="1h")
    pids = [int(pid) for job in families for pid in job.log().split()]
    assert len(pids) == 6
    assert all(map(is_alive, pids))
    jobs = JobList([done, *families, clean, delayed])
    assert jobs.cancel(grace="300ms") == [*families, clean, delayed]
    assert not [pid for pid in pids if is_alive(pid)]
    assert [job.state for job in jobs] == ["succeeded"] + ["cancelled"] * 4
    assert [outcomes(job) for job in jobs[1:]] == [["cancelled"]] * 3 + [[]]
    assert (desk.runs("clean.cleaned"), desk.runs("never")) == (1, 0)
    assert queued.wait(60).state == "failed"


def test_a_list_of_jobs_of_which_one_ends_with_another_is_cancelled_all_the_same(desk):
    first = bg.submit("control.note", delay="1h")
    jobs = JobList([first, *(bg.submit("control.note", after=first) for _ in range(40))])
    desk.probe()
    try:
        jobs.cancel()
        assert {job.state for job in jobs} <= {"cancelled", "failed"}
    finally:
        jobs.wait(60)


def test_a_group_is_cancelled_though_the_supervisor_is_killed_meanwhile(desk):
    desk.configure(queues={"default": 2, "probe": 1})
    group = bg.submit_many("control.is_deaf", [{"name": f"deaf {n}"} for n in range(4)], retry=AT_ONCE)
    for job in group.jobs[:2]:
        runs_now(job)
    with ThreadPoolExecutor(1) as pool:
        cancelled = pool.submit(group.cancel, "500ms")
        until(lambda: group.jobs[3].state == "cancelled", "the answer for those that wait")
        desk.crash()
        assert cancelled.result(60) == group
    assert group.counts == {"cancelled": 4}
    assert [outcomes(job) for job in group] == [["cancelled"]] * 2 + [[]] * 2
    assert [job.attempts[0].signal for job in group.jobs[:2]] == [9, 9]


def test_a_group_that_has_ended_is_cancelled_without_a_word(desk):
    group = bg.submit_many("control.note", [{}]).wait(60)
    assert group.cancel().counts == {"succeeded": 1}


def test_jobs_are_cancelled_from_a_terminal(desk, capsys):
    jobs = [runs_now(bg.submit("control.cleans_up", {"name": name})) for name in ("a", "b")]
    assert main(["cancel", *(str(job.id) for job in jobs), "--grace", "20s"]) == 0
    assert [line.split(" · ")[2] for line in capsys.readouterr().out.splitlines()] == ["cancelled"] * 2
    assert (desk.runs("a.cleaned"), desk.runs("b.cleaned")) == (1, 1)


@pytest.mark.parametrize("finish", [False, True], ids=["interrupted", "finished in spite of it"])
def test_a_process_that_can_not_be_ended_is_reported(desk, capsys, finish):
    """The supervisor can't signal one process, as if it were another user's."""
    supervisor = driven(
        desk.place,
        f"""
        from ipybgjobs.process import tree
        def send(states, number, send=tree.send):
            with open({str(desk.place.code / "left")!r}) as file:
                left = int(file.read())
            send([state for state in states if state.pid != left], number)
        tree.send = send
        """,
    )
    job = runs_now(bg.submit("control.leaves_one", {"finish": finish}))
    left = int((desk.place.code / "left").read_text())
    try:
        assert main(["cancel", str(job.id), "--grace", "0.3"]) == 0
        assert is_alive(left)
    finally:
        os.kill(left, signal.SIGKILL)
    said = f"could not be ended: {left}"
    state, error = "cancelled", f"cancelled; {said}"
    assert (job.state, job.error, job.attempts[0].error) == (state, error, error)
    assert finish or said in capsys.readouterr().out
    until(lambda: said in desk.place.log(), "the log")
    assert "None" not in desk.place.log()
    assert supervisor.wait(60) == 0


# -- time-outs and deadlines ------------------------------------------------------------------------------------------


def test_a_timed_out_attempt_is_ended_with_its_tree_before_the_next_one_starts(desk):
    job = bg.submit("control.family_once", timeout=2, retry=AT_ONCE)
    until((desk.place.code / "first").exists, "the first run")
    desk.crash()
    assert job.result(60) == []
    assert outcomes(job) == ["timeout", "succeeded"]
    assert job.attempts[0].error == "took longer than its timeout"


def test_a_job_that_is_still_queued_at_its_deadline_fails(desk):
    blocking = desk.held(queue="one")
    bg.pause("default")
    soon = dt.datetime.now().astimezone() + dt.timedelta(seconds=1)
    jobs = [
        bg.submit("control.note", {"name": "late"}, queue="one", retry_until=0.5),
        bg.submit("control.note", {"name": "late"}, retry_until="500ms"),
        bg.submit("control.note", {"name": "late"}, queue="probe", after=blocking, retry_until=soon),
        bg.submit("control.note", {"name": "late"}, delay=0.1, retry_until=str(soon)),
    ]
    needs = bg.submit("control.note", queue="probe", after=jobs[0])
    desk.crash()
    for job in jobs:
        assert job.wait(60).error == _DEADLINE
    assert [(job.state, job.attempts) for job in jobs] == [("failed", [])] * 4
    assert needs.wait(60).error == f"job {jobs[0].id} (control.note), which it comes after, has failed"
    with pytest.raises(bg.JobFailed, match=r"retry_until"):
        jobs[0].result(60)
    assert blocking.state == "running"
    bg.resume()
    desk.go("hold")
    blocking.result(60)
    assert desk.runs("late") == 0


def test_a_job_that_runs_at_its_deadline_is_ended_and_not_tried_again(desk):
    desk.probe()
    before, names = time.time(), ("duration", "time")
    deadlines = (1.5, str(dt.datetime.now().astimezone() + dt.timedelta(seconds=1.5)))
    options = [{"retry_until": deadline, "retry": AT_ONCE} for deadline in deadlines]
    jobs = [bg.submit("control.cleans_up", {"name": n}, **o) for n, o in zip(names, options, strict=True)]
    for job in jobs:
        runs_now(job)
    desk.crash()
    for job, name in zip(jobs, names, strict=True):
        with pytest.raises(bg.JobTimeout, match=r"its deadline \(retry_until\) has passed"):
            job.result(60)
        assert (outcomes(job), job.error, job.attempts[0].error) == (["timeout"], _DEADLINE, _DEADLINE)
        assert ended(job) >= before + 1.5
        assert (desk.runs(name), desk.runs(f"{name}.cleaned")) == (1, 1)
    jobs[0].retry()
    until(lambda: desk.runs("duration") == 2, "another run, asked for by hand: without a deadline")
    jobs[0].cancel()


def test_no_attempt_follows_a_deadline(desk):
    job = bg.submit("control.fails", retry={"max_attempts": 3, "delay_seconds": 300}, retry_until="2m")
    assert job.wait(60).state == "failed"
    assert (outcomes(job), job.error) == (["error"], "ValueError: as planned")
    until(lambda: "its deadline (retry_until) leaves no time for another attempt" in desk.place.log(), "the line in the log")


def test_attempts_follow_each_other_until_the_deadline(desk):
    before = time.time()
    job = bg.submit("control.fails", {"name": "tries"}, retry={"max_attempts": 1000, "delay_seconds": 0.1}, retry_until=4)
    job.wait(60)
    assert job.state == "failed"
    assert len(job.attempts) > 1
    assert all(attempt.started_at < before + 4 + 1 for attempt in job.attempts)
    assert desk.runs("tries") == len(job.attempts)


# -- unique keys ------------------------------------------------------------------------------------------------------


def test_a_key_is_held_by_one_live_job(desk):
    holder = desk.held(unique="nightly")
    with pytest.raises(bg.DuplicateJob, match=rf"job {holder.id} \(control\.hold\) is running and holds this unique") as refused:
        bg.submit("control.note", unique="nightly")
    assert one_sentence(refused.value)
    assert bg.submit("control.note", unique="nightly", on_duplicate="existing") == holder
    assert bg.submit("control.note", unique="other").result(60) == "note"
    assert len(bg.jobs()) == 2
    desk.go("hold")
    holder.result(60)
    again = bg.submit("control.note", unique="nightly", on_duplicate="existing")
    assert again != holder
    again.result(60)


def test_any_end_lets_the_key_go(desk):
    """Also one that no attempt came to, and that of a process that vanished."""
    blocking = desk.held("blocking", queue="one")
    ends = {
        "succeeded": bg.submit("control.note", unique="succeeded"),
        "failed": bg.submit("control.fails", unique="failed"),
        "cancelled while queued": bg.submit("control.note", unique="cancelled while queued", delay="1h").cancel(),
        "cancelled while running": runs_now(bg.submit("control.sleeps", unique="cancelled while running")).cancel(),
        "lost": bg.submit("control.dies", unique="lost"),
        "timed out": bg.submit("control.sleeps", unique="timed out", timeout=0.1),
        "past its deadline": bg.submit("control.sleeps", unique="past its deadline", retry_until=0.3),
        "failed with another": bg.submit("control.note", unique="failed with another", after=blocking),
        "denied": bg.submit("control.finishes", queue="one", unique="denied"),
    }
    assert bg.submit("control.note", unique="denied", on_duplicate="existing") == ends["denied"]
    desk.configure(names=[name for name in NAMES if name != "finishes"])
    blocking.cancel()
    states = {end: job.wait(60).state for end, job in ends.items()}
    assert {end for end, state in states.items() if state == "failed"} >= {"lost", "timed out", "past its deadline"}
    assert (states["failed with another"], outcomes(ends["denied"])) == ("failed", ["denied"])
    again = [bg.submit("control.note", unique=end) for end in ends]
    assert [job.result(60) for job in again] == ["note"] * 9


def test_a_job_that_waits_for_its_retry_holds_its_key(desk):
    retry = {"max_attempts": 2, "delay_seconds": 300}
    job = bg.submit("control.fails", unique="key", retry=retry)
    until(lambda: job.attempts and job.state == "queued", "the first failure")
    with pytest.raises(bg.DuplicateJob, match=f"job {job.id} .* is queued"):
        bg.submit("control.note", unique="key")
    assert bg.submit("control.note", unique="key", on_duplicate="replace").result(60) == "note"
    assert (job.state, outcomes(job)) == ("cancelled", ["error"])


def test_target_and_parameters_may_be_the_key(desk):
    given = {"value": pathlib.PurePosixPath("data"), "other": [1, {"a": 2, "b": 3}]}
    job = bg.submit("control.takes", given, unique=True)
    same = {"other": [1, {"b": 3, "a": 2}], "value": pathlib.PurePosixPath("data")}
    with pytest.raises(bg.DuplicateJob, match=f"job {job.id} "):
        bg.submit("control.takes", same, unique=True)
    assert bg.submit("control.takes", same, unique=True, on_duplicate="existing") == job
    others = [
        given | {"other": [1]},
        given | {"value": pathlib.PurePosixPath("dat")},
        {"value": "data"},
        {"value": 1},
        {"value": "1"},
    ]
    jobs = [bg.submit("control.takes", other, unique=True) for other in others]
    jobs.append(bg.submit("control.takes", given))
    desk.go("takes")
    assert [each.wait(60).state for each in (job, *jobs)] == ["succeeded"] * 7


def test_the_kept_parameters_of_a_job_that_was_not_accepted_go_again(desk):
    given = {"value": pathlib.PurePosixPath("data")}
    job = bg.submit("control.takes", given, unique=True, delay="1h")
    before = os.listdir(desk.place.state / "jobs")
    with pytest.raises(bg.DuplicateJob):
        bg.submit("control.takes", given, unique=True)
    assert bg.submit("control.takes", given, unique=True, on_duplicate="existing") == job
    assert os.listdir(desk.place.state / "jobs") == before == [job.uid]
    job.cancel()


def test_a_queued_job_is_replaced_and_never_runs(desk):
    old = bg.submit("control.note", {"name": "old"}, unique="key", delay="1h")
    new = bg.submit("control.note", {"name": "new"}, unique="key", on_duplicate="replace")
    assert new.result(60) == "new"
    assert (old.state, old.attempts, desk.runs("old")) == ("cancelled", [], 0)


def test_a_running_job_is_replaced_when_it_has_ended_though_the_supervisor_is_killed(desk):
    desk.configure(kill_grace_seconds=0.5)
    old = runs_now(bg.submit("control.is_deaf", unique="key", retry=AT_ONCE))
    new = bg.submit("control.note", unique="key", on_duplicate="replace")
    with pytest.raises(bg.DuplicateJob, match=f"job {new.id} "):
        bg.submit("control.note", unique="key")
    desk.crash()
    new.result(60)
    assert (old.state, outcomes(old), old.attempts[0].signal) == ("cancelled", ["cancelled"], 9)
    assert started(new) >= ended(old)


def test_a_job_that_is_replaced_again_and_again_never_runs_beside_the_first(desk):
    """The second is cancelled while it waits; the third still has to wait for the first."""
    desk.configure(kill_grace_seconds=0.5)
    first = runs_now(bg.submit("control.is_deaf", unique="key"))
    second, third = (bg.submit("control.note", {"name": "new"}, unique="key", on_duplicate="replace") for _ in range(2))
    third.result(60)
    first.wait(60)
    assert (first.state, second.state, desk.runs("new")) == ("cancelled", "cancelled", 1)
    assert started(third) >= ended(first)


@pytest.mark.parametrize("on_duplicate", ["reject", "existing", "replace"])
def test_the_hold_is_not_lost_with_a_replacement_that_is_cancelled(desk, on_duplicate):
    """What was to be replaced is being ended, and runs until then."""
    desk.configure(kill_grace_seconds=0.5)
    old = runs_now(bg.submit("control.is_deaf", unique="key"))
    bg.submit("control.note", unique="key", on_duplicate="replace").cancel()
    with contextlib.suppress(bg.DuplicateJob):
        job = bg.submit("control.note", {"name": "new"}, unique="key", on_duplicate=on_duplicate).wait(60)
        assert old.state.ended
        assert job == old or started(job) >= ended(old)
    old.wait(60)


def test_a_replacement_waits_for_what_it_comes_after_too(desk):
    first = desk.held("first")
    old = runs_now(bg.submit("control.sleeps", unique="key"))
    new = bg.submit("control.note", unique="key", on_duplicate="replace", after=first)
    assert old.wait(60).state == "cancelled"
    desk.probe()
    assert (new.state, new.after) == ("queued", [first.id, old.id])
    desk.go("first")
    assert new.result(60) == "note"
    assert started(new) >= max(ended(first), ended(old))


def test_a_replacement_that_comes_after_what_it_replaces_does_not_wait_for_ever(desk):
    for option in ("after", "after_any"):
        old = runs_now(bg.submit("control.sleeps", unique="key"))
        new = bg.submit("control.note", unique="key", on_duplicate="replace", **{option: old})
        assert new.result(20) == "note"
        assert started(new) >= ended(old)


def test_a_job_is_not_retried_by_hand_while_another_holds_its_key(desk):
    failed = bg.submit("control.fails", {"runs": 1}, unique="key").wait(60)
    holder = desk.held(unique="key")
    with pytest.raises(bg.DuplicateJob, match=rf"job {holder.id} holds the unique key of job {failed.id}") as refused:
        failed.retry()
    assert one_sentence(refused.value)
    assert outcomes(failed) == ["error"]
    desk.go("hold")
    holder.result(60)
    assert failed.retry().result(60) == "at last"


def test_a_job_that_was_replaced_is_not_retried_by_hand_while_its_replacement_lives(desk):
    old = bg.submit("control.note", {"name": "old"}, unique="key", delay="1h")
    new = bg.submit("control.hold", unique="key", on_duplicate="replace")
    until(lambda: desk.runs("hold"), "the run of the new one")
    with contextlib.suppress(bg.DuplicateJob):
        old.retry()
        desk.probe()
    ran_beside = desk.runs("old")
    desk.go("hold")
    new.result(60)
    assert (old.state, ran_beside) == ("cancelled", 0)
    old.retry().result(60)
    assert old.state == "succeeded"


def test_a_job_that_was_replaced_and_is_retried_by_hand_holds_its_key_again(desk):
    old = bg.submit("control.hold", unique="key", delay="1h")
    bg.submit("control.note", unique="key", on_duplicate="replace").result(60)
    old.retry()
    until(lambda: desk.runs("hold"), "its run")
    with contextlib.suppress(bg.DuplicateJob):
        bg.submit("control.note", unique="key").wait(60)
    jobs = bg.jobs()
    desk.go("hold")
    old.result(60)
    assert len(jobs) == 2


def test_of_many_that_ask_for_a_key_at_once_one_has_it(desk):
    barrier = threading.Barrier(6)

    def ask(_):
        barrier.wait()
        with contextlib.suppress(bg.DuplicateJob):
            return bg.submit("control.hold", unique="key")
        return None

    with ThreadPoolExecutor(6) as pool:
        accepted = [job for job in pool.map(ask, range(6)) if job]
    assert len(accepted) == 1
    assert bg.jobs() == accepted
    desk.go("hold")
    accepted[0].result(60)


def test_many_that_replace_each_other_at_once_never_run_at_the_same_time(desk):
    barrier = threading.Barrier(6)

    def ask(_):
        barrier.wait()
        return [bg.submit("control.alone", {"name": "card"}, unique="key", on_duplicate="replace") for _ in range(3)]

    with ThreadPoolExecutor(6) as pool:
        jobs = [job for found in pool.map(ask, range(6)) for job in found]
    newest = max(jobs, key=lambda job: job.id)
    assert newest.result(60) == "card"
    JobList(jobs).wait(60)
    assert {job.state for job in jobs} <= {"cancelled", "succeeded"}
    runs = sorted((started(job), ended(job)) for job in jobs if job.attempts)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(runs))


# -- bad input --------------------------------------------------------------------------------------------------------

_PAST = "2020-01-01 10:00"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"queue": "gpu"}, r"There is no queue 'gpu'; the configuration has default, one, probe \(BackgroundJobs\.queues\)\."),
        ({"priority": "high"}, "priority is 'high'; it is a whole number"),
        ({"priority": 1.0}, r"priority is 1\.0; it is a whole number"),
        ({"delay": -1}, "delay is -1; a duration is finite and not negative"),
        ({"delay": "-5m"}, "delay is '-5m'; give seconds or text such as"),
        ({"delay": "soon"}, "delay is 'soon'"),
        ({"delay": float("inf")}, "delay is inf"),
        ({"delay": True}, "delay is True"),
        ({"delay": 1, "at": "22:30"}, "delay and at both say when the job starts; give one of them"),
        ({"at": "tomorrow"}, "at is 'tomorrow'; give a time such as"),
        ({"at": "2026-13-01 10:00"}, "at is '2026-13-01 10:00'; give a time"),
        ({"at": "25:00"}, "at is '25:00'; give a time"),
        ({"at": 5}, "at is '?5'?; give a time"),
        ({"at": _PAST}, f"at is '{_PAST}', which is past .* give a time that is still to come"),
        ({"timeout": -1}, "timeout is -1; a duration is finite and not negative"),
        ({"timeout": "long"}, "timeout is 'long'"),
        ({"retry": -1}, "max_attempts.*-1"),
        ({"retry": 0}, "max_attempts.*0"),
        ({"retry": True}, "retry is True"),
        ({"retry": {"attempts": 3}}, "retry has no setting 'attempts'"),
        ({"retry": {"delay_seconds": -3}}, "delay_seconds"),
        ({"retry_until": -1}, "retry_until is -1; a duration is finite and not negative"),
        ({"retry_until": "soon"}, "retry_until is 'soon'; give a duration such as \"2h\", or a time"),
        ({"retry_until": _PAST}, f"retry_until is '{_PAST}', which is past"),
        ({"retry_until": True}, "retry_until is True"),
        ({"retry_until": "10m", "delay": "1h"}, "retry_until is .*, before the start at "),
        ({"after": 99}, "no job .*99"),
        ({"after": -1}, "no job .*-1"),
        ({"after": 1 << 70}, "no job"),
        ({"after": "nobody"}, "nobody"),
        ({"after_any": [99]}, "no job .*99"),
        ({"after": 1.5}, r"after names 1\.5; give a job, its id, its name, or a group"),
        ({"after": [None]}, "after names None"),
        ({"after": [True]}, "after names True"),
        ({"after_any": [{1: 2}]}, r"after(_any)? names \{1: 2\}"),
        ({"unique": ""}, "unique is ''; it is a key, as text, or True"),
        ({"unique": 5}, "unique is 5"),
        ({"unique": "key", "on_duplicate": "ignore"}, "on_duplicate is 'ignore'; it is one of reject, existing, replace"),
        ({"on_duplicate": "replace"}, "give unique=True or a key too"),
        ({"reuse": -1}, "reuse is -1"),
        ({"reuse": "old"}, "reuse is 'old'"),
        ({"name": "12"}, "name is '12'; a name is text, and not a number"),
        ({"name": ""}, "name is ''"),
        ({"name": 7}, "name is 7"),
    ],
    ids=str,
)
def test_an_option_that_does_not_fit_is_refused_in_one_sentence_and_nothing_is_there(desk, options, said):
    with pytest.raises(bg.BackgroundJobError, match=said) as refused:
        bg.submit("control.note", **options)
    assert one_sentence(refused.value), refused.value
    assert bg.jobs() == []
    many = {key: value for key, value in options.items() if key not in ("unique", "on_duplicate", "reuse")}
    if many:
        with pytest.raises(bg.BackgroundJobError, match=said):
            bg.submit_many("control.note", [{}, {}], **many)
    assert bg.jobs() == []
    assert not desk.place.processes()


def test_an_option_that_does_not_exist_is_refused_with_the_one_that_was_meant(desk):
    with pytest.raises(bg.InvalidParameters, match=r"There is no option time_out; .* Did you mean timeout\?"):
        bg.submit_many("control.note", [{}], time_out=3)
    assert bg.jobs() == []


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("submit control.note --queue gpu", 1, "There is no queue 'gpu'"),
        ("submit control.note --delay -5m", 2, "--delay"),
        ("submit control.note --delay=-5m", 1, "delay is '-5m'"),
        ("submit control.note --at later", 1, "at is 'later'"),
        ("submit control.note --timeout=-1", 1, "timeout is '-1'"),
        ("submit control.note --retry=-1", 1, "max_attempts"),
        ("submit control.note --retry-until never", 1, "retry_until is 'never'"),
        ("submit control.note --after 99", 1, "no job with id 99"),
        ("submit control.note --after-any 99", 1, "no job with id 99"),
        ("submit control.note --unique=key --on-duplicate ignore", 2, "ignore"),
        ("submit control.note --on-duplicate replace", 1, "give unique=True or a key too"),
        ("submit control.note --priority high", 2, "invalid int value: 'high'"),
        ("cancel 99", 1, "no job with id 99"),
        ("cancel", 2, "say which"),
        ("cancel --group 5", 1, "no group 5"),
        ("retry 99", 1, "no job with id 99"),
        ("priority 99 --to 3", 1, "no job with id 99"),
        ("pause gpu", 1, "There is no queue 'gpu'"),
        ("resume gpu", 1, "There is no queue 'gpu'"),
        ("resume one", 1, "The queue one is not paused"),
        ("clean --older-than soon", 1, "'soon'"),
        ("clean --keep-jobs=-1", 1, "-1"),
    ],
)
def test_what_a_terminal_is_refused_is_one_sentence_with_its_status_and_nothing_is_there(desk, capsys, words, status, said):
    assert main(words.split()) == status
    printed = capsys.readouterr()
    assert said in printed.err
    assert one_sentence(printed.err), printed.err
    assert (printed.out, bg.jobs(), desk.place.processes()) == ("", [], {})


_REFUSED = [
    ("submit control.note --after {cancelled}", 1, "job {cancelled} was cancelled, so nothing can come after its success"),
    ("submit control.note --after {done},{cancelled}", 1, "job {cancelled} was cancelled"),
    ("submit control.note --unique=key", 1, "job {live} (control.note) is queued and holds this unique key"),
    ("cancel {done}", 1, "job {done} has succeeded already; only"),
    ("cancel {cancelled}", 1, "job {cancelled} "),
    ("cancel {live} --grace=-1", 1, "grace is '-1'"),
    ("cancel {live} 99", 1, "no job with id 99"),
    ("cancel {live} --group 1", 2, "give jobs or --group, not both"),
    ("cancel {live} {done}", 1, "job {done} has succeeded already"),
    ("retry {live}", 1, "job {live} is queued; only one that failed or was cancelled can be retried"),
    ("retry {running}", 1, "job {running} is running; only one that failed or was cancelled can be retried"),
    ("retry {done}", 1, "job {done} is succeeded"),
    ("retry {running} name=other", 1, "job {running} is running; wait for its end or cancel it"),
    ("retry {cancelled} {done}", 1, "job {done} is succeeded"),
    ("priority {done} --to 3", 1, "job {done} is succeeded; only a queued job"),
    ("priority {running} --to 3", 1, "job {running} is running; only a queued job"),
    ("priority {live} --to high", 2, "invalid int value: 'high'"),
    ("priority {live}", 2, "--to"),
    ("priority {live} {done} --to 3", 1, "job {done} is succeeded; only a queued job"),
    ("remove {running}", 1, "job {running} is running; only"),
    ("remove {cancelled} {live}", 1, "job {live} is queued; only"),
]


def test_a_verb_that_does_not_fit_a_job_s_state_is_refused_in_one_sentence_and_changes_nothing(desk, capsys):
    jobs = {
        "done": bg.submit("control.note").wait(60),
        "cancelled": bg.submit("control.note", delay="1h").cancel(),
        "live": bg.submit("control.note", delay="1h", unique="key"),
        "running": desk.held(),
    }
    ids = {name: job.id for name, job in jobs.items()}
    wrong = []
    now = [(job.state, job.priority, outcomes(job)) for job in jobs.values()]
    capsys.readouterr()
    for words, status, said in _REFUSED:
        found = main(words.format(**ids).split())
        printed = capsys.readouterr()
        before, now = now, [(job.state, job.priority, outcomes(job)) for job in jobs.values()]
        fits = said.format(**ids) in printed.err and one_sentence(printed.err) and not printed.out
        if not fits or found != status or now != before or len(bg.jobs()) != len(jobs):
            wrong.append((words, found, printed, now))
    desk.go("hold")
    bg.jobs().cancel()
    assert not wrong
