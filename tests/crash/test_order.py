"""Where order, uniqueness, retries and ends meet: each of these once hung, ran twice, or was lost."""

import json
import os
import signal
import sys
import time

import pytest

import ipybgjobs as bg
from ipybgjobs.client import callbacks
from ipybgjobs.store import controls, queries, removals, submissions
from ipybgjobs.store.database import Database
from ipybgjobs.system import place as where
from ipybgjobs.system.lock import FileLock
from support.driver import own_supervisor
from support.place import DEADLINE, running, until

ALLOWED = {"ordered": ["gate", "stubborn", "quick"], "ordered.Told": ["run"]}


class Gates:
    """The place, and its gates."""

    def __init__(self, place):
        self.place = place
        self.folder = place.code

    def open(self, name):
        (self.folder / name).touch()

    def notes(self):
        path = self.folder / "notes"
        return path.read_text().splitlines() if path.exists() else []

    def idle(self):
        until(lambda: not self.place.processes(), "the supervisor's end")


@pytest.fixture
def gates(place):
    place.module("ordered")
    place.allow(ALLOWED, BackgroundJobs__queues={"default": 4, "other": 1}, BackgroundJobs__kill_grace_seconds=20)
    return Gates(place)


def gate(name, **options):
    fail = options.pop("fail", False)
    return bg.submit("ordered.gate", {"name": name, "fail": fail}, **options)


# -- after ------------------------------------------------------------------------------------------------------------


def test_a_job_that_is_named_twice_counts_once_and_success_is_needed_where_one_of_them_says_so(gates):
    first = gate("first")
    twice = bg.submit("ordered.quick", after=[first, first.id, "first" if first.name else first.uid])
    both = bg.submit("ordered.quick", after=first, after_any=[first, [first]])
    gates.open("first")
    assert (twice.result(DEADLINE), both.result(DEADLINE)) == (0, 0)
    bad = gate("bad", fail=True)
    both = bg.submit("ordered.quick", after=bad, after_any=bad)
    gates.open("bad")
    assert both.wait(DEADLINE).error == f"job {bad.id} (ordered.gate), which it depends on, failed"


def test_a_group_and_a_member_of_it_count_once(gates):
    group = bg.submit_many("ordered.quick", bg.grid(value=[1, 2]))
    assert bg.submit("ordered.quick", after=[group, group.jobs[0]]).result(DEADLINE) == 0


def test_what_comes_after_a_job_that_is_denied_goes_on_at_once(gates):
    bg.pause()
    denied = bg.submit("ordered.gate", {"name": "never"})
    anyway, needing = bg.submit("ordered.quick", after_any=denied), bg.submit("ordered.quick", after=denied)
    gates.place.allow({"ordered": ["quick"]})
    bg.resume()
    assert denied.wait(DEADLINE).attempts[0].outcome == "denied"
    assert anyway.result(DEADLINE) == 0
    assert needing.wait(DEADLINE).state == "failed"


def test_a_job_waits_again_for_one_that_was_retried_meanwhile(gates):
    first, other = gate("first", fail=True), gate("other")
    last = bg.submit("ordered.quick", {"value": "last"}, after_any=[first, other])
    gates.open("first")
    assert first.wait(DEADLINE).state == "failed"
    first.retry()
    until(lambda: gates.notes().count("first began") == 2, "the second attempt")
    gates.open("first")
    first.wait(DEADLINE)
    assert last.state == "queued", "the other one still runs"
    gates.open("other")
    assert last.result(DEADLINE) == "last"
    assert gates.notes()[-1] == "quick last"


def test_a_job_of_another_state_folder_is_not_taken_for_the_one_with_its_number(gates, monkeypatch, tmp_path):
    bg.submit("ordered.quick").wait(DEADLINE)
    monkeypatch.setenv("IPYBGJOBS_STATE_DIR", str(tmp_path / "elsewhere"))
    foreign = bg.submit("ordered.quick").wait(DEADLINE)
    monkeypatch.undo()
    with pytest.raises(bg.UnknownJob, match=foreign.uid):
        bg.submit("ordered.quick", after=foreign)


# -- cancel and time-outs ---------------------------------------------------------------------------------------------


def test_a_cancel_while_a_timeout_is_being_enforced_is_a_cancel_and_nothing_is_retried(gates):
    job = running(bg.submit("ordered.stubborn", timeout=0.3, retry=3))
    until(lambda: list(gates.place.state.glob("jobs/*/1/ending.json")), "the ending")
    database = Database(f"{gates.place.state}/jobs.db", durable=True)
    until(lambda: database.read("SELECT 1 FROM attempts WHERE ending = 'timeout'"), "the time-out")
    controls.request_cancel(database, [job.id], None, time.time())
    until(lambda: database.read("SELECT 1 FROM attempts WHERE ending = 'cancelled'"), "the cancel")
    database.close()
    os.kill(json.loads(next(gates.place.state.glob("jobs/*/1/started.json")).read_text())["process"]["pid"], signal.SIGKILL)
    job.wait(DEADLINE)
    assert (job.state, [attempt.outcome for attempt in job.attempts]) == ("cancelled", ["cancelled"])


# -- unique -----------------------------------------------------------------------------------------------------------


def test_a_job_that_was_replaced_twice_over_has_ended_before_the_last_one_starts(gates):
    first = running(bg.submit("ordered.stubborn", unique="key"))
    second = bg.submit("ordered.quick", {"value": 2}, unique="key", on_duplicate="replace")
    third = bg.submit("ordered.quick", {"value": 3}, unique="key", on_duplicate="replace")
    assert second.wait(DEADLINE).state == "cancelled"
    assert (first.state, third.state, third.after) == ("running", "queued", [first.id, second.id])
    gates.open("stubborn")
    assert third.result(DEADLINE) == 3
    assert gates.notes() == ["stubborn began", "stubborn ended", "quick 3"]


def test_a_job_that_was_replaced_can_not_be_retried_beside_the_one_that_replaced_it(gates):
    first = running(gate("first", unique="key"))
    second = running(gate("second", unique="key", on_duplicate="replace"))
    assert first.state == "cancelled"
    with pytest.raises(bg.DuplicateJob, match=f"job {second.id} holds the unique key of job {first.id}"):
        first.retry()
    assert bg.jobs(state="cancelled").retry() == []
    gates.open("second")
    second.wait(DEADLINE)
    gates.open("first")
    assert first.retry().result(DEADLINE) == "first"


# -- hooks and environments -------------------------------------------------------------------------------------------


def test_failed_is_called_though_the_deadline_passes_while_the_job_waits_for_its_retry(gates):
    job = bg.submit("ordered.Told.run", retry={"max_attempts": 2, "delay_seconds": 8}, retry_until=12, queue="other")
    until(lambda: job.attempts and job.attempts[0].outcome, "the first attempt")
    bg.pause("other")
    job.wait(DEADLINE)
    assert (job.error, len(job.attempts)) == ("its deadline (retry_until) has passed", 1)
    until(gates.notes, "the hook")
    assert gates.notes() == ["told as planned"], "what its last attempt raised"
    bg.resume()


def test_the_environment_of_a_job_that_is_retried_while_its_hook_runs_goes_when_nothing_needs_it(gates, monkeypatch):
    gates.open("hold")
    monkeypatch.setenv("API_TOKEN", "the-first-secret")
    job = bg.submit("ordered.Told.run").wait(DEADLINE)
    until(gates.notes, "the hook")
    monkeypatch.setenv("API_TOKEN", "the-second-secret")
    job.retry().wait(DEADLINE)
    (gates.folder / "hold").unlink()
    gates.idle()
    database = Database(f"{gates.place.state}/jobs.db", durable=True)
    assert database.read("SELECT body FROM environments") == []
    database.close()


# -- reuse ------------------------------------------------------------------------------------------------------------


def test_a_job_is_reused_whatever_way_its_folder_stands_on_the_path(gates, monkeypatch):
    monkeypatch.chdir(gates.place.root)
    monkeypatch.setattr(sys, "path", ["code/../code", *[each for each in sys.path if each != str(gates.folder)]])
    first = bg.submit("ordered.quick", {"value": 1}).wait(DEADLINE)
    assert bg.submit("ordered.quick", {"value": 1}, reuse=True) == first


def test_a_job_that_has_succeeded_after_a_retry_by_hand_is_reused(gates):
    marker = gates.folder / "marker"
    gates.place.allow({"work": ["once_failing"]})
    job = bg.submit("work.once_failing", {"marker": str(marker)}).wait(DEADLINE)
    assert job.state == "failed"
    assert job.retry().result(DEADLINE) == "second run"
    assert bg.submit("work.once_failing", {"marker": str(marker)}, reuse=True) == job


def test_a_job_that_ends_between_the_look_for_it_and_the_commit_is_reused(gates, monkeypatch):
    first = gate("first")
    real = submissions.submit

    def late(database, job, surroundings):
        gates.open("first")
        first.wait(DEADLINE)
        return real(database, job, surroundings)

    monkeypatch.setattr(submissions, "submit", late)
    assert gate("first", reuse=True, unique=True, on_duplicate="existing") == first
    assert len(bg.jobs()) == 1


# -- several jobs at once ---------------------------------------------------------------------------------------------


def test_failed_jobs_are_retried_together_with_those_that_come_after_them(gates):
    first = gate("first", fail=True)
    second = bg.submit("ordered.quick", {"value": 2}, after=first)
    gates.open("first")
    assert second.wait(DEADLINE).state == "failed"
    retried = bg.jobs(state="failed").retry()
    assert sorted(job.id for job in retried) == [first.id, second.id]
    until(lambda: gates.notes().count("first began") == 2, "the second attempt")
    assert second.state == "queued"
    first.cancel()
    assert second.wait(DEADLINE).state == "failed"


def test_several_jobs_are_cancelled_though_the_end_of_one_ends_another(gates):
    first, last = running(gate("first")), running(gate("last"))
    second = bg.submit("ordered.quick", after=first)
    bg.jobs().cancel()
    assert [job.state for job in (first, second, last)] == ["cancelled", "cancelled", "cancelled"] or second.state == "failed"
    assert last.state == "cancelled"


def test_a_job_that_was_kept_after_a_clean_had_begun_stays(gates):
    jobs = [bg.submit("ordered.quick", {"value": number}).wait(DEADLINE) for number in range(3)]
    database = Database(f"{gates.place.state}/jobs.db", durable=True)
    rule = removals.RemovalFilter(states=("succeeded",))
    found = [job_id for job_id, _ in removals.removable(database, rule, 10)]
    jobs[1].keep()
    gone, _ = removals.remove(database, found, lambda _: None, rule)
    database.close()
    assert sorted(gone) == sorted([jobs[0].uid, jobs[2].uid])
    assert jobs[1].result() == 1
    jobs[1].remove()


# -- what must go on --------------------------------------------------------------------------------------------------


def test_the_thread_that_calls_back_outlives_what_fails_in_it(gates):
    state = {"broken": True}

    def ended(ids):
        if state["broken"]:
            raise OSError("the disk is full")
        return dict.fromkeys(ids, "succeeded")

    def beat():
        raise OSError("no process can be started")

    made, calls = callbacks.Callbacks(ended, beat), []
    state["broken"] = False
    real, made._ended = made._ended, lambda ids: {}
    made.add(1, lambda: sys.exit("a callback that exits"))
    made.add(1, lambda: calls.append("second"))
    state["broken"] = True
    made._ended = real
    until(lambda: made._thread is not None, "the thread")
    state["broken"] = False
    until(lambda: calls == ["second"], "the call")


def test_a_supervisor_makes_its_folders_anew_where_somebody_has_removed_them(gates):
    bg.submit("ordered.quick").wait(DEADLINE)
    gates.idle()
    for path in sorted((gates.place.state / "jobs").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (gates.place.state / "jobs").rmdir()
    assert bg.submit("ordered.quick", {"value": 8}).result(DEADLINE) == 8


def test_many_commands_of_on_finish_are_run_a_few_at_a_time(gates):
    script = gates.place.root / "told.sh"
    script.write_text(f'#!/bin/sh\necho "$1" >> {gates.place.root}/told\nls /proc > /dev/null\n')
    script.chmod(0o700)
    gates.place.allow(ALLOWED, BackgroundJobs__on_finish=[str(script), "{id}"])
    group = bg.submit_many("ordered.quick", bg.grid(value=range(40)), delay=1000).cancel()
    told = gates.place.root / "told"
    until(lambda: told.exists() and len(told.read_text().split()) == 40, "the commands")
    assert sorted(map(int, told.read_text().split())) == [job.id for job in group]


# -- the clock --------------------------------------------------------------------------------------------------------


def test_a_delayed_job_starts_in_time_and_one_that_is_unblocked_at_once_though_the_clock_was_set_back(gates):
    bg.submit("ordered.quick").wait(DEADLINE)
    gates.idle()
    lock = FileLock.acquire(f"{gates.place.state}/supervisor.{where.here()}.lock", wait=True)
    wall = {"ahead": 0.0}
    supervisor = own_supervisor(gates.place, lambda: time.time() + wall["ahead"])

    def tick():
        descriptors = supervisor.filenos()
        supervisor.tick(descriptors)
        return queries.job(supervisor.database, delayed.id).state

    try:
        delayed = bg.submit("ordered.quick", {"value": "delayed"}, delay=1.5)
        waiting = bg.submit("ordered.quick", {"value": "waiting"}, after_any=delayed)
        supervisor.tick(woken=True)
        wall["ahead"] = -3600.0
        until(lambda: tick() == "succeeded", "the delayed job")
        until(lambda: tick() and queries.job(supervisor.database, waiting.id).state == "succeeded", "the one after it")
    finally:
        supervisor.close()
        lock.close()


# -- bad input --------------------------------------------------------------------------------------------------------


def test_a_deadline_before_the_start_is_refused(gates):
    with pytest.raises(bg.InvalidParameters, match=r"retry_until is .*, which is before the start at "):
        bg.submit("ordered.quick", delay="2h", retry_until="1h")
    assert bg.jobs() == []


def test_a_job_whose_time_has_come_but_that_waits_for_a_slot_is_queued_and_no_more(gates):
    gates.place.allow(ALLOWED, BackgroundJobs__queues={"default": 1})
    blocking = running(gate("first"))
    delayed = bg.submit("ordered.quick", delay=0.1)
    assert delayed.status.startswith(("queued, starts at", "queued, the slot"))
    until(lambda: delayed.status == f"queued, the slot of the queue default is taken by job {blocking.id}", "its time")
    gates.open("first")
    assert (blocking.result(DEADLINE), delayed.result(DEADLINE)) == ("first", 0)
