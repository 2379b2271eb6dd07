"""What follows a job's end: hooks of its class, the command of `on_finish`, callbacks; and what is known of its process."""

import contextlib
import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

import ipybgjobs as bg
from ipybgjobs.store import queries
from ipybgjobs.store.database import Database
from ipybgjobs.system import place as where
from support.driver import own_supervisor
from support.place import DEADLINE, running, until

pytestmark = pytest.mark.shared_place

CLASSES = {f"hooked.{name}": ["run"] for name in ("Hooked", "Slow", "Faulty", "NoHooks")} | {"hooked": ["plain"]}


@pytest.fixture
def hooked(place):
    place.module("hooked")
    place.allow(CLASSES)
    return place


def notes(place):
    path = place.code / "notes"
    return path.read_text().splitlines() if path.exists() else []


def ended_with_hook(job):
    job.wait(DEADLINE)
    until(lambda: job.hook and job.hook.outcome, f"the hook of job {job.id}")
    return job


# -- hooks ------------------------------------------------------------------------------------------------------------


def test_a_job_that_has_succeeded_calls_on_success_with_its_result_in_the_job_s_surroundings(hooked, monkeypatch):
    monkeypatch.setenv("FLAVOUR", "vanilla")
    job = ended_with_hook(bg.submit("hooked.Hooked.run", init={"tag": "mine"}))
    assert notes(hooked) == ["on_success mine {'how': 'well'} vanilla"]
    assert job.log() == "running well\nin the hook\n"
    assert (len(job.attempts), job.hook.outcome, job.result()) == (1, "succeeded", {"how": "well"})


def test_a_job_calls_failed_once_after_its_last_attempt_with_what_it_raised(hooked):
    job = ended_with_hook(bg.submit("hooked.Hooked.run", {"how": "badly"}, retry={"max_attempts": 3, "delay_seconds": 0.05}))
    assert (notes(hooked), len(job.attempts)) == (["on_failure ValueError: as planned"], 3)


@pytest.mark.own_place
@pytest.mark.parametrize(
    ("how", "options", "said"),
    [
        ("dies", {}, "on_failure JobLost: job 1 (hooked.Hooked.run): the process was killed by signal 9"),
        ("sleeps", {"timeout": 0.3}, "on_failure JobTimeout: job 1 (hooked.Hooked.run): took longer than its timeout"),
    ],
)
def test_failed_is_called_though_the_process_has_vanished_or_was_ended(hooked, how, options, said):
    ended_with_hook(bg.submit("hooked.Hooked.run", {"how": how}, **options))
    [note] = notes(hooked)
    assert note.startswith(said)


def test_a_cancelled_job_calls_no_hook_and_neither_does_a_function_or_a_class_without_methods_of_these_names(hooked):
    cancelled = running(bg.submit("hooked.Hooked.run", {"how": "sleeps"})).cancel()
    jobs = [
        cancelled,
        bg.submit("hooked.plain"),
        bg.submit("hooked.NoHooks.run"),
        bg.submit("hooked.NoHooks.run", {"how": "badly"}),
    ]
    for job in jobs:
        job.wait(DEADLINE)
    until(lambda: not hooked.processes(), "the supervisor's end")
    assert (notes(hooked), [job.hook for job in jobs]) == ([], [None] * 4)


def test_a_hook_that_fails_changes_nothing_and_is_in_the_log_of_errors(hooked):
    job = ended_with_hook(bg.submit("hooked.Faulty.run"))
    assert (job.state, job.hook.outcome, job.hook.error) == ("succeeded", "error", "RuntimeError: the hook itself")
    text = f"job {job.id}: the hook of hooked.Faulty.run failed (error): RuntimeError: the hook itself"
    until(lambda: text in hooked.log("background_jobs_errors.log"), "the log")


def test_a_hook_may_be_async(hooked):
    ended_with_hook(bg.submit("hooked.Faulty.run", {"how": "badly"}))
    assert notes(hooked) == ["awaited as planned"]


@pytest.mark.own_place
def test_a_hook_takes_no_slot_and_the_job_has_ended_before_it(hooked):
    hooked.allow(CLASSES, BackgroundJobs__queues={"default": 1})
    slow = bg.submit("hooked.Slow.run")
    assert slow.result(DEADLINE) == {"how": "well"}
    until(lambda: notes(hooked) == ["hook began"], "the hook")
    assert bg.submit("hooked.plain").result(DEADLINE) == 1
    with pytest.raises(bg.InvalidRequest, match="job 1 can't be removed while its hook is running"):
        slow.remove()
    assert bg.clean().jobs == 1
    (hooked.code / "release").touch()
    ended_with_hook(slow)
    slow.remove()


@pytest.mark.crash
@pytest.mark.own_place
def test_a_hook_is_called_once_whatever_becomes_of_the_supervisor(hooked):
    slow = bg.submit("hooked.Slow.run")
    until(lambda: notes(hooked) == ["hook began"], "the hook")
    os.kill(hooked.supervisor_pid(), signal.SIGKILL)
    (hooked.code / "release").touch()
    ended_with_hook(slow)
    waiting = running(bg.submit("hooked.Hooked.run", {"wait": "go"}))
    before = hooked.supervisor_pid()
    os.kill(before, signal.SIGKILL)
    (hooked.code / "go").touch()
    ended_with_hook(waiting)
    assert [note.partition(" {")[0] for note in notes(hooked)] == ["hook began", "hook ended", "on_success t"]


def test_environment_variables_are_kept_for_the_hook_and_go_after_it(hooked, monkeypatch):
    monkeypatch.setenv("API_TOKEN", "a-secret-of-the-environment")
    job = bg.submit("hooked.Slow.run")
    until(lambda: notes(hooked) == ["hook began"], "the hook")
    database = Database(f"{hooked.state}/jobs.db", durable=True)
    assert len(database.read("SELECT * FROM environments")) == 1
    (hooked.code / "release").touch()
    ended_with_hook(job)
    until(lambda: not database.read("SELECT * FROM environments"), "the end of the environment")
    database.close()


def test_a_job_that_is_retried_before_its_hook_was_called_calls_the_hook_of_its_new_end(hooked):
    job = ended_with_hook(bg.submit("hooked.Hooked.run", {"how": "badly"}))
    assert notes(hooked) == ["on_failure ValueError: as planned"]
    job.retry().wait(DEADLINE)
    until(lambda: len(notes(hooked)) == 2, "the second call")
    assert notes(hooked) == ["on_failure ValueError: as planned"] * 2


def test_a_class_that_is_no_longer_allowed_calls_no_hook(hooked):
    job = running(bg.submit("hooked.Hooked.run", {"wait": "go"}))
    hooked.allow({"hooked": ["plain"]})
    (hooked.code / "go").touch()
    job.wait(DEADLINE)
    until(lambda: not hooked.processes(), "the supervisor's end")
    assert (job.state, notes(hooked), job.hook) == ("succeeded", [], None)


# -- on_finish --------------------------------------------------------------------------------------------------------


def finished(place):
    path = place.root / "finished"
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.own_place
def test_the_command_of_on_finish_is_run_for_every_end_without_a_shell_in_the_job_s_environment(hooked, monkeypatch):
    monkeypatch.setenv("FLAVOUR", "lemon")
    script = hooked.root / "told.sh"
    script.write_text(f'#!/bin/sh\necho "$1|$2|$3|$4|$FLAVOUR" >> {hooked.root}/finished\n')
    script.chmod(0o700)
    hooked.allow(CLASSES, BackgroundJobs__on_finish=[str(script), "{id} {state}", "{target}", "{name}", "{error}{nothing}{"[:7]])
    name = f"$(touch {hooked.root}/run-by-a-shell) {{state}}"
    bg.submit("hooked.NoHooks.run", name=name).wait(DEADLINE)
    failing = bg.submit("hooked.NoHooks.run", {"how": "badly", "wait": "go"}, name="bad")
    bg.submit("hooked.plain", after=failing, name="after")
    (hooked.code / "go").touch()
    bg.submit("hooked.plain", delay=1000, name="off").cancel()
    until(lambda: len(finished(hooked)) == 4, "the commands")
    assert sorted(finished(hooked)) == [
        f"1 succeeded|hooked.NoHooks.run|{name}||lemon",
        "2 failed|hooked.NoHooks.run|bad|ValueError: as planned|lemon",
        "3 failed|hooked.plain|after|job 2 (hooked.NoHooks.run), which it depends on, failed|lemon",
        "4 cancelled|hooked.plain|off||lemon",
    ]
    assert not (hooked.root / "run-by-a-shell").exists()


@pytest.mark.own_place
def test_a_command_that_can_not_be_run_is_told_in_the_log_and_harms_nothing(hooked):
    hooked.allow(CLASSES, BackgroundJobs__on_finish=["no-such-program", "{id}"])
    assert bg.submit("hooked.plain").result(DEADLINE) == 1
    text = "job 1: on_finish could not be run: the program no-such-program was not found"
    until(lambda: text in hooked.log("background_jobs_errors.log"), "the log")


def test_a_field_that_does_not_exist_is_refused_where_it_is_written(hooked):
    hooked.allow(CLASSES, BackgroundJobs__on_finish=["echo", "{password}"])
    with pytest.raises(bg.ConfigurationError, match=r"on_finish uses the unknown field \{password\}; the fields are id, uid"):
        bg.submit("hooked.plain")


# -- callbacks --------------------------------------------------------------------------------------------------------


@pytest.mark.own_place
def test_a_callback_is_called_once_with_the_job_when_it_has_ended_in_a_thread_of_this_process(hooked):
    calls = []
    jobs = [bg.submit("hooked.NoHooks.run", {"how": how, "wait": "go"}) for how in ("well", "badly")]
    for job in jobs:
        job.add_done_callback(lambda ended: calls.append((ended.id, str(ended.state), threading.current_thread().name)))
    assert calls == []
    (hooked.code / "go").touch()
    until(lambda: len(calls) == 2, "the calls")
    assert sorted(calls) == [(1, "succeeded", "ipybgjobs-callbacks"), (2, "failed", "ipybgjobs-callbacks")]
    until(lambda: "ipybgjobs-callbacks" not in [thread.name for thread in threading.enumerate()], "the thread's end")
    jobs[0].add_done_callback(calls.append)
    assert calls[2] is jobs[0]


def test_a_callback_that_raises_is_shown_and_keeps_no_other_from_being_called(hooked, capsys):
    calls = []
    job = bg.submit("hooked.NoHooks.run", {"wait": "go"})
    job.add_done_callback(lambda _: 1 / 0)
    job.add_done_callback(calls.append)
    (hooked.code / "go").touch()
    until(lambda: calls, "the second call")
    assert "ZeroDivisionError" in capsys.readouterr().err


# -- what is known of a process that vanished -------------------------------------------------------------------------


def memory_cgroup():
    """A new memory cgroup with a limit of 64 MB, where one can be made."""
    name = f"ipybgjobs-{os.getpid()}"
    for root, limit in ((Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"), (Path("/sys/fs/cgroup"), "memory.max")):
        with contextlib.suppress(OSError):
            (root / name).mkdir()
            if (root / name / limit).exists():
                (root / name / limit).write_text("64000000")
                return root / name
            (root / name).rmdir()
    return None


def test_a_job_that_the_kernel_kills_for_want_of_memory_says_so_and_one_killed_by_somebody_does_not(place):
    cgroup = memory_cgroup()
    if cgroup is None:
        pytest.skip("no memory cgroup can be made here")
    place.module(
        "greedy",
        """
        import os, signal
        def eat(group, mb: int):
            open(group + "/cgroup.procs", "w").write(str(os.getpid()))
            print("eating", flush=True)
            return len([b"x" * (1 << 20) for _ in range(mb)])
        def die():
            os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    place.allow({"greedy": ["eat", "die"]})
    try:
        hungry = bg.submit("greedy.eat", {"group": str(cgroup), "mb": 500}).wait(DEADLINE)
        killed = bg.submit("greedy.die").wait(DEADLINE)
        until(lambda: not (cgroup / "cgroup.procs").read_text(), "the end of its processes")
    finally:
        cgroup.rmdir()
    assert "killed by signal 9 (SIGKILL), peak memory " in hungry.error
    assert hungry.error.endswith("likely out of memory: the kernel's OOM killer was active while it ran")
    assert hungry.traceback == "Its last lines:\neating\n"
    assert "signal 9" in killed.error
    assert "out of memory" not in killed.error


# -- the clock --------------------------------------------------------------------------------------------------------


@pytest.mark.crash
def test_a_clock_that_is_set_moves_delays_and_deadlines_with_it_and_leaves_times_of_the_calendar(place):
    place.allow({"work": ["echo"]}, BackgroundJobs__idle_seconds=0.05)
    bg.submit("work.echo", {"value": 0}).wait(DEADLINE)
    until(lambda: not place.processes(), "the supervisor's end")
    held = place.state / f"supervisor.{where.here()}.lock"
    wall = {"ahead": 0.0}
    from ipybgjobs.system.lock import FileLock

    lock = FileLock.acquire(str(held), wait=True)
    supervisor = own_supervisor(place, lambda: time.time() + wall["ahead"])
    try:
        delayed = bg.submit("work.echo", {"value": 1}, delay="2h", retry_until="5h")
        timed = bg.submit("work.echo", {"value": 2}, at="2098-01-01 12:00", retry_until="2099-01-01")
        before = [queries.job(supervisor.database, job.id) for job in (delayed, timed)]
        supervisor.tick(woken=True)
        wall["ahead"] = -86400.0
        supervisor.tick(woken=True)
        after = [queries.job(supervisor.database, job.id) for job in (delayed, timed)]
        assert after[0].not_before - before[0].not_before == pytest.approx(-86400, abs=5)
        assert after[0].deadline - before[0].deadline == pytest.approx(-86400, abs=5)
        assert (after[1].not_before, after[1].deadline) == (before[1].not_before, before[1].deadline)
        wall["ahead"] = 0.5
        supervisor.tick(woken=True)
        back = queries.job(supervisor.database, delayed.id)
        assert back.not_before == pytest.approx(before[0].not_before, abs=5)
    finally:
        for question in [e.child for e in supervisor.configurations._evaluations.values() if e.child]:
            question.give_up()
        supervisor.close()
        lock.close()
    for job in (delayed, timed):
        job.cancel()


def test_a_timeout_counts_the_time_of_the_machine_and_not_of_its_clock(place):
    job = running(bg.submit("work.Trainer.sleep", timeout=3600))
    started = json.loads(next(place.state.glob("jobs/*/1/started.json")).read_text())
    assert 0 < time.monotonic() - started["monotonic"] < DEADLINE
    job.cancel()
