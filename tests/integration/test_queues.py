"""Queues and their slots: how many run at once, what a slot tells a job, pausing and resuming."""

import os
import time

import pytest

import ipybgjobs as bg
from ipybgjobs.commands.cli import main
from support.attempts import AT_ONCE, TRIES, ended, outcomes, started
from support.control import one_sentence
from support.place import running, until

pytestmark = pytest.mark.shared_place

# -- slots --------------------------------------------------------------------------------------------------------------


def test_jobs_that_run_at_once_never_share_a_slot(control):
    control.configure(queues={"gpu": {"slots": 3, "env": {"CARD": "{slot}"}}})
    jobs = [bg.submit("control.alone_in_its_slot", queue="gpu") for _ in range(9)]
    assert [job.result(60) for job in jobs] == [str(job.attempts[0].slot) for job in jobs]
    assert {job.attempts[0].slot for job in jobs} <= {0, 1, 2}
    assert started(jobs[0]) == min(map(started, jobs))
    assert jobs[0].attempts[0].slot == 0


def test_the_next_supervisor_knows_which_slots_are_taken(control):
    control.configure(queues={"gpu": {"slots": 2, "env": {"CARD": "card {slot}"}}})
    first, second = control.held("first", queue="gpu"), control.held("second", queue="gpu")
    third = bg.submit("control.variables", {"names": ["CARD"]}, queue="gpu")
    assert (first.attempts[0].slot, second.attempts[0].slot) == (0, 1)
    control.crash()
    control.go("first")
    assert third.result(60) == ["card 0", "card 0", "card 0"]
    assert third.attempts[0].slot == 0
    assert started(third) >= ended(first)
    control.go("second")
    second.result(60)
    assert len(second.attempts) == 1


def test_more_slots_count_at_once_and_end_nothing(control):
    first = control.held("first", queue="one")
    second = bg.submit("control.note", {"name": "second"}, queue="one")
    control.probe()
    assert second.state == "queued"
    control.configure(queues={"one": 2, "probe": 1})
    assert second.wait(60).attempts[0].slot == 1
    assert (first.state, first.attempts[0].slot, control.runs("first")) == ("running", 0, 1)
    control.go("first")
    assert first.result(60) == "first"


def test_fewer_slots_count_at_once_and_end_nothing(control):
    names = ["a", "b", "c"]
    control.configure(queues={"gpu": 3, "probe": 1})
    jobs = [control.held(name, queue="gpu") for name in names]
    assert [job.attempts[0].slot for job in jobs] == [0, 1, 2]
    control.configure(queues={"gpu": 1, "probe": 1})
    late = bg.submit("control.note", {"name": "late"}, queue="gpu")
    for name in names:
        control.probe()
        assert (late.state, late.attempts) == ("queued", [])
        control.go(name)
        jobs[names.index(name)].result(60)
    assert late.wait(60).attempts[0].slot == 0
    assert started(late) >= max(map(ended, jobs))
    assert [outcomes(job) for job in jobs] == [["succeeded"]] * 3


def test_a_slot_beyond_the_new_number_of_slots_is_counted_and_not_given_again(control):
    control.configure(queues={"gpu": 3, "probe": 1})
    jobs = [control.held(name, queue="gpu") for name in ("a", "b", "c")]
    control.configure(queues={"gpu": 2, "probe": 1})
    waiting = [bg.submit("control.hold", {"name": name}, queue="gpu") for name in ("d", "e")]
    control.go("a", "b")
    until(lambda: control.runs("d"), "the run of d, beside c")
    control.probe()
    assert [job.state for job in waiting] == ["running", "queued"]
    control.go("c", "d", "e")
    assert [job.wait(60).attempts[0].slot for job in (*jobs, *waiting)][:4] == [0, 1, 2, 0]
    assert waiting[1].attempts[0].slot in (0, 1)


def test_the_variables_of_a_queue_reach_its_jobs_from_the_start_and_no_others(control, monkeypatch):
    monkeypatch.setenv("CARD", "the caller's")
    control.configure(queues={"gpu": {"slots": 1, "env": {"CARD": "{slot}", "TEXT": "a {b} {slot}{slot} $HOME"}}})
    names = ["CARD", "TEXT"]
    for _ in range(2):
        in_gpu = bg.submit("control.variables", {"names": names}, queue="gpu")
        elsewhere = bg.submit("control.variables", {"names": names})
        assert in_gpu.result(60) == ["0", "0", "a {b} 00 $HOME", "0"]
        assert elsewhere.result(60) == ["the caller's", "the caller's", None, "the caller's"]
        assert (in_gpu.attempts[0].launched_by, elsewhere.attempts[0].launched_by) == ("fork", "fork")


def test_variables_that_act_at_the_start_of_an_interpreter_are_given_to_a_fresh_process(control):
    env = {"PYTHONHASHSEED": "{slot}", "LD_LIBRARY_PATH": "/nowhere/{slot}"}
    control.configure(queues={"seeded": {"slots": 1, "env": env}, "linked": {"env": {"LD_LIBRARY_PATH": "/nowhere"}}})
    jobs = [bg.submit("control.hash_of_text", queue=queue) for queue in ("seeded", "seeded", "linked", "default")]
    results = [job.result(60) for job in jobs]
    assert results[0] == results[1]
    assert results[0][1:] == (0, "/nowhere/0")
    assert [result[1:] for result in results[2:]] == [(1, "/nowhere"), (1, os.environ.get("LD_LIBRARY_PATH"))]
    attempts = [job.attempts[0] for job in jobs]
    assert [attempt.launched_by for attempt in attempts] == ["fresh process"] * 3 + ["fork"]
    assert all("its queue sets variables" in attempt.launch_reason for attempt in attempts[:3])


@pytest.mark.own_place
@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "'gpu' .* integer of at least 1; got 0"),
        (-1, "'gpu' .* integer of at least 1; got -1"),
        (True, "'gpu' .* integer of at least 1; got True"),
        ("2", "'gpu' .* integer of at least 1; got '2'"),
        (1.5, "'gpu' .* integer of at least 1; got 1.5"),
        ({"slots": 0}, "the slots of the queue 'gpu' must be an integer of at least 1; got 0"),
        ({"slots": True}, "the slots of the queue 'gpu' must be an integer of at least 1; got True"),
        ({"slots": 1, "envs": {}}, "'gpu' sets the unknown option 'envs'; the options are slots and env"),
        ({"env": ["CARD"]}, "the env of the queue 'gpu' must be"),
        ({"env": {"CARD": 0}}, "the variable 'CARD' to 0; both must be text"),
        ({"env": {"A=B": "0"}}, "the variable 'A=B'"),
        ({"env": {"": "0"}}, "the variable ''"),
    ],
)
def test_a_queue_that_is_set_wrongly_is_refused(control, value, said):
    control.configure(queues={"gpu": value})
    with pytest.raises(bg.ConfigurationError, match=said) as refused:
        bg.submit("control.note", queue="gpu")
    assert str(control.place.config_file) in str(refused.value)
    assert not control.place.processes()


@pytest.mark.crash
def test_a_queue_set_wrongly_while_jobs_wait_holds_them_and_says_so(control):
    first = control.held("first", queue="one")
    second = bg.submit("control.note", {"name": "second"}, queue="one")
    control.configure(queues={"one": -3})
    control.go("first")
    first.wait(60)
    until(lambda: "held: " in second.status, "why it waits")
    assert second.state == "queued"
    assert str(control.place.config_file) in second.status
    control.configure()
    assert second.result(60) == "second"


# -- pausing ------------------------------------------------------------------------------------------------------------


@pytest.mark.own_place
def test_a_paused_queue_starts_nothing_and_what_runs_goes_on(control):
    running = control.held("running", queue="one")
    waiting = bg.submit("control.note", {"name": "waiting"}, queue="one")
    assert bg.pause("one") == ["one"]
    assert bg.pause("one") == ["one"]
    later = bg.submit("control.note", {"name": "later"}, queue="one")
    control.go("running")
    assert running.result(60) == "running"
    control.probe()
    assert {job.status.rpartition(" (since ")[0] for job in (waiting, later)} == {"queued, held: the queue one is paused"}
    control.crash()
    control.probe()
    assert (waiting.attempts, later.attempts) == ([], [])
    assert later.cancel().state == "cancelled"
    assert bg.resume("one") == ["one"]
    assert waiting.result(60) == "waiting"
    with pytest.raises(bg.InvalidRequest, match=r"The queue one is not paused; its jobs start as soon as a slot is free\."):
        bg.resume("one")


@pytest.mark.own_place
def test_all_queues_can_be_paused_and_resumed_at_once(control):
    running = control.held("running")
    assert bg.pause() == ["default", "one", "probe"]
    jobs = [bg.submit("control.note", queue=queue) for queue in ("default", "one")]
    control.go("running")
    running.result(60)
    control.crash()
    with pytest.raises(TimeoutError, match=rf"job {jobs[0].id} did not finish within 0\.3 s; .*the queue default is paused"):
        jobs[0].wait(0.3)
    assert bg.resume("one") == ["one"]
    assert jobs[1].result(60) == "note"
    assert jobs[0].state == "queued"
    assert bg.resume() == ["default", "probe"]
    assert jobs[0].result(60) == "note"
    assert bg.resume() == []


@pytest.mark.own_place
def test_a_retry_waits_while_its_queue_is_paused(control):
    job = bg.submit("control.fails_once_held", {"name": "again"}, retry=AT_ONCE)
    until(lambda: control.runs("again") == 1, "the first run")
    bg.pause("default")
    control.go("again.1")
    until(lambda: "held: the queue default is paused" in job.status, "why it waits")
    control.probe()
    assert (job.state, control.runs("again")) == ("retrying", 1)
    control.go("again.2")
    bg.resume()
    assert job.result(60) == "second run"


@pytest.mark.own_place
def test_a_queue_is_paused_and_resumed_from_a_terminal(control, capsys):
    capsys.readouterr()
    assert main(["pause", "one"]) == 0
    assert capsys.readouterr().out == "paused: one; running jobs continue\n"
    job = bg.submit("control.note", queue="one")
    control.probe()
    assert main(["show", str(job.id)]) == 0
    assert "held: the queue one is paused" in capsys.readouterr().out
    assert main(["resume"]) == 0
    assert capsys.readouterr().out == "resumed: one\n"
    assert job.result(60) == "note"
    assert main(["resume", "one"]) == 1
    assert one_sentence(capsys.readouterr().err)


# -- slots, priorities, delays ------------------------------------------------------------------------------------------


@pytest.mark.crash
@pytest.mark.parametrize("slots", [1, 3])
def test_never_more_than_a_queue_has_slots_run_at_once(tries_alone, runs_alone, slots):
    tries_alone.allow({"tries": TRIES}, BackgroundJobs__queues={"default": slots}, BackgroundJobs__idle_seconds=0.1)
    before = bg.submit("tries.sleeps", delay="1h")
    jobs = [bg.submit("tries.counts_those_beside_it", {"folder": str(runs_alone)}, after_any=before) for _ in range(8)]
    before.cancel()
    beside = [job.result(60) for job in jobs]
    assert max(beside) == slots


def test_a_full_queue_holds_up_no_other(tries_alone):
    tries_alone.allow({"tries": TRIES}, BackgroundJobs__queues={"default": 1, "gpu": 1}, BackgroundJobs__idle_seconds=0.1)
    blocking = running(bg.submit("tries.sleeps"))
    waiting = bg.submit("tries.sleeps", {"seconds": 0})
    assert bg.submit("tries.sleeps", {"seconds": 0}, queue="gpu").wait(60).state == "succeeded"
    assert (blocking.state, waiting.state) == ("running", "queued")
    blocking.cancel()
    assert waiting.wait(60).state == "succeeded"


def test_a_higher_priority_goes_first_and_then_the_oldest(tries_alone):
    tries_alone.allow({"tries": TRIES}, BackgroundJobs__queues={"default": 1}, BackgroundJobs__idle_seconds=0.1)
    blocking = running(bg.submit("tries.sleeps"))
    priorities = [0, -5, 10, 0, 10]
    jobs = [bg.submit("tries.sleeps", {"seconds": 0}, priority=priority) for priority in priorities]
    blocking.cancel()
    for job in jobs:
        job.wait(60)
    order = sorted(range(5), key=lambda number: jobs[number].attempts[0].started_at)
    assert order == [2, 4, 0, 3, 1]


def test_a_delayed_job_holds_up_no_other(tries):
    delayed = bg.submit("tries.sleeps", {"seconds": 0}, delay="2h", priority=9)
    assert delayed.status.startswith("queued, starts at ")
    assert bg.submit("tries.sleeps", {"seconds": 0}).wait(60).state == "succeeded"
    assert (delayed.state, delayed.attempts) == ("queued", [])
    delayed.cancel()


@pytest.mark.crash
@pytest.mark.parametrize("delay", [0.7, "700ms"])
def test_a_delayed_job_starts_after_its_delay(tries, delay):
    submitted = time.time()
    job = bg.submit("tries.sleeps", {"seconds": 0}, delay=delay).wait(60)
    assert submitted + 0.7 <= job.attempts[0].started_at < submitted + 20


@pytest.mark.own_place
def test_how_long_one_waits_is_a_duration_as_any_and_what_is_none_is_refused(place):
    job = bg.submit("work.Trainer.sleep")
    group = bg.submit_many("work.Trainer.sleep", [{"seconds": 300.0}])
    waits = [job.wait, job.result, job.exception, bg.jobs().wait, group.wait, group.results]
    waits += [lambda timeout: list(bg.as_completed([job], timeout)), lambda timeout: list(group.as_completed(timeout))]
    for wait in waits:
        for timeout in (float("nan"), "soon", object(), True):
            with pytest.raises(bg.InvalidParameters, match=r"^timeout must be .*; got "):
                wait(timeout)
        for timeout in ("50ms", 0.05, -1, 0):
            with pytest.raises(TimeoutError):
                wait(timeout)
    bg.jobs().cancel()
    assert {each.wait(float("inf")).state for each in bg.jobs()} == {"cancelled"}
