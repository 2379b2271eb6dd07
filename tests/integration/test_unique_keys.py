"""Unique keys: one job at a time for each, and what a second submit does."""

import contextlib
import itertools
import os
import pathlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import ipybgjobs as bg
from ipybgjobs.client.jobs.job_list import JobList
from support.attempts import AT_ONCE, ended, outcomes, started
from support.control import CONTROL, one_sentence
from support.place import running, until

pytestmark = pytest.mark.shared_place


def test_a_key_is_held_by_one_live_job(control):
    holder = control.held(unique="nightly")
    with pytest.raises(bg.DuplicateJob, match=rf"job {holder.id} \(control\.hold\) is running and holds this unique") as refused:
        bg.submit("control.note", unique="nightly")
    assert one_sentence(refused.value)
    assert bg.submit("control.note", unique="nightly", on_duplicate="existing") == holder
    assert bg.submit("control.note", unique="other").result(60) == "note"
    assert len(bg.jobs()) == 2
    control.go("hold")
    holder.result(60)
    again = bg.submit("control.note", unique="nightly", on_duplicate="existing")
    assert again != holder
    again.result(60)


def test_any_end_lets_the_key_go(control):
    """Also one that no attempt came to, and that of a process that vanished."""
    blocking = control.held("blocking", queue="one")
    ends = {
        "succeeded": bg.submit("control.note", unique="succeeded"),
        "failed": bg.submit("control.fails", unique="failed"),
        "cancelled while queued": bg.submit("control.note", unique="cancelled while queued", delay="1h").cancel(),
        "cancelled while running": running(bg.submit("control.sleeps", unique="cancelled while running")).cancel(),
        "lost": bg.submit("control.dies", unique="lost"),
        "timed out": bg.submit("control.sleeps", unique="timed out", timeout=0.1),
        "past its deadline": bg.submit("control.sleeps", unique="past its deadline", retry_until=0.3),
        "failed with another": bg.submit("control.note", unique="failed with another", after=blocking),
        "denied": bg.submit("control.finishes", queue="one", unique="denied"),
    }
    assert bg.submit("control.note", unique="denied", on_duplicate="existing") == ends["denied"]
    control.configure(names=[name for name in CONTROL if name != "finishes"])
    blocking.cancel()
    states = {end: job.wait(60).state for end, job in ends.items()}
    assert {end for end, state in states.items() if state == "failed"} >= {"lost", "timed out", "past its deadline"}
    assert (states["failed with another"], outcomes(ends["denied"])) == ("failed", ["denied"])
    again = [bg.submit("control.note", unique=end) for end in ends]
    assert [job.result(60) for job in again] == ["note"] * 9


def test_a_job_that_waits_for_its_retry_holds_its_key(control):
    retry = {"max_attempts": 2, "delay_seconds": 300}
    job = bg.submit("control.fails", unique="key", retry=retry)
    until(lambda: job.state == "retrying", "the first failure")
    with pytest.raises(bg.DuplicateJob, match=f"job {job.id} .* is retrying"):
        bg.submit("control.note", unique="key")
    assert bg.submit("control.note", unique="key", on_duplicate="replace").result(60) == "note"
    assert (job.state, outcomes(job)) == ("cancelled", ["error"])


def test_target_and_parameters_may_be_the_key(control):
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
    control.go("takes")
    assert [each.wait(60).state for each in (job, *jobs)] == ["succeeded"] * 7


@pytest.mark.own_place
def test_the_kept_parameters_of_a_job_that_was_not_accepted_go_again(control):
    given = {"value": pathlib.PurePosixPath("data")}
    job = bg.submit("control.takes", given, unique=True, delay="1h")
    before = os.listdir(control.place.state / "jobs")
    with pytest.raises(bg.DuplicateJob):
        bg.submit("control.takes", given, unique=True)
    assert bg.submit("control.takes", given, unique=True, on_duplicate="existing") == job
    assert os.listdir(control.place.state / "jobs") == before == [job.uid]
    job.cancel()


def test_a_queued_job_is_replaced_and_never_runs(control):
    old = bg.submit("control.note", {"name": "old"}, unique="key", delay="1h")
    new = bg.submit("control.note", {"name": "new"}, unique="key", on_duplicate="replace")
    assert new.result(60) == "new"
    assert (old.state, old.attempts, control.runs("old")) == ("cancelled", [], 0)


@pytest.mark.crash
def test_a_running_job_is_replaced_when_it_has_ended_though_the_supervisor_is_killed(control):
    control.configure(kill_grace_seconds=60)
    old = running(bg.submit("control.is_deaf", unique="key", retry=AT_ONCE))
    new = bg.submit("control.note", unique="key", on_duplicate="replace")
    with pytest.raises(bg.DuplicateJob, match=f"job {new.id} "):
        bg.submit("control.note", unique="key")
    control.crash()
    control.probe()
    assert (old.state, new.state) == ("running", "queued")
    control.go("deaf")
    new.result(60)
    assert (old.state, outcomes(old), old.attempts[0].signal) == ("cancelled", ["cancelled"], 9)
    assert started(new) >= ended(old)


@pytest.mark.crash
def test_a_job_that_is_replaced_again_and_again_never_runs_beside_the_first(control):
    """The second is cancelled while it waits; the third still has to wait for the first."""
    control.configure(kill_grace_seconds=60)
    first = running(bg.submit("control.is_deaf", unique="key"))
    second, third = (bg.submit("control.note", {"name": "new"}, unique="key", on_duplicate="replace") for _ in range(2))
    control.probe()
    assert (first.state, second.state, third.state) == ("running", "cancelled", "queued")
    control.go("deaf")
    third.result(60)
    first.wait(60)
    assert (first.state, second.state, control.runs("new")) == ("cancelled", "cancelled", 1)
    assert started(third) >= ended(first)


@pytest.mark.crash
@pytest.mark.parametrize("on_duplicate", ["reject", "existing", "replace"])
def test_the_hold_is_not_lost_with_a_replacement_that_is_cancelled(control, on_duplicate):
    """What was to be replaced is being ended, and runs until then."""
    control.configure(kill_grace_seconds=60)
    old = running(bg.submit("control.is_deaf", unique="key"))
    bg.submit("control.note", unique="key", on_duplicate="replace").cancel()
    with contextlib.suppress(bg.DuplicateJob):
        job = bg.submit("control.note", {"name": "new"}, unique="key", on_duplicate=on_duplicate)
        control.probe()
        assert job.state == ("running" if job == old else "queued")
        control.go("deaf")
        job.wait(60)
        assert old.state.ended
        assert job == old or started(job) >= ended(old)
    control.go("deaf")
    old.wait(60)


def test_a_replacement_waits_for_what_it_comes_after_too(control):
    first = control.held("first")
    old = running(bg.submit("control.sleeps", unique="key"))
    new = bg.submit("control.note", unique="key", on_duplicate="replace", after=first)
    assert old.wait(60).state == "cancelled"
    control.probe()
    assert (new.state, new.after) == ("queued", [first.id, old.id])
    control.go("first")
    assert new.result(60) == "note"
    assert started(new) >= max(ended(first), ended(old))


@pytest.mark.own_place
def test_a_replacement_that_comes_after_what_it_replaces_does_not_wait_for_ever(control):
    for option in ("after", "after_any"):
        old = running(bg.submit("control.sleeps", unique="key"))
        new = bg.submit("control.note", unique="key", on_duplicate="replace", **{option: old})
        assert new.result(20) == "note"
        assert started(new) >= ended(old)


def test_a_job_is_not_retried_by_hand_while_another_holds_its_key(control):
    failed = bg.submit("control.fails", {"runs": 1}, unique="key").wait(60)
    holder = control.held(unique="key")
    with pytest.raises(bg.DuplicateJob, match=rf"job {holder.id} holds the unique key of job {failed.id}") as refused:
        failed.retry()
    assert one_sentence(refused.value)
    assert outcomes(failed) == ["error"]
    control.go("hold")
    holder.result(60)
    assert failed.retry().result(60) == "at last"


def test_a_job_that_was_replaced_is_not_retried_by_hand_while_its_replacement_lives(control):
    old = bg.submit("control.note", {"name": "old"}, unique="key", delay="1h")
    new = bg.submit("control.hold", unique="key", on_duplicate="replace")
    until(lambda: control.runs("hold"), "the run of the new one")
    with contextlib.suppress(bg.DuplicateJob):
        old.retry()
        control.probe()
    ran_beside = control.runs("old")
    control.go("hold")
    new.result(60)
    assert (old.state, ran_beside) == ("cancelled", 0)
    old.retry().result(60)
    assert old.state == "succeeded"


@pytest.mark.own_place
def test_a_job_that_was_replaced_and_is_retried_by_hand_holds_its_key_again(control):
    old = bg.submit("control.hold", unique="key", delay="1h")
    bg.submit("control.note", unique="key", on_duplicate="replace").result(60)
    old.retry()
    until(lambda: control.runs("hold"), "its run")
    with contextlib.suppress(bg.DuplicateJob):
        bg.submit("control.note", unique="key").wait(60)
    jobs = bg.jobs()
    control.go("hold")
    old.result(60)
    assert len(jobs) == 2


@pytest.mark.own_place
def test_of_many_that_ask_for_a_key_at_once_one_has_it(control):
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
    control.go("hold")
    accepted[0].result(60)


def test_many_that_replace_each_other_at_once_never_run_at_the_same_time(control):
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
