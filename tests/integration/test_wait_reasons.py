"""Why a job waits, how long it usually runs, whether it is overdue: the same words on card, list, `show`, `print` and in JSON."""

import contextlib
import json
import sqlite3

import pytest

import ipybgjobs as bg
from ipybgjobs.client import client as client_module
from ipybgjobs.client.jobs import job_status
from ipybgjobs.client.jobs.job_list import JobList
from ipybgjobs.commands.cli import main
from ipybgjobs.panel import overview
from support.place import until

pytestmark = pytest.mark.own_place


def said(capsys, *arguments):
    main(list(arguments))
    return capsys.readouterr().out


def everywhere(job, capsys):
    """The words for one job wherever it is shown, as text."""
    return {
        "status": job.status,
        "print": repr(job),
        "card": job.to_html(),
        "list of jobs": JobList([job])._repr_html_(),
        "overview": overview.text(50, "submit"),
        "its HTML": overview.html(50),
        "list": said(capsys, "list"),
        "filtered list": said(capsys, "list", "--queue", job.queue),
        "show": said(capsys, "show", str(job.id)),
        "json": json.loads(said(capsys, "show", str(job.id), "--json"))["status"],
    }


def change(place, sql, *values):
    with contextlib.closing(sqlite3.connect(place.state / "jobs.db")) as connection, connection:
        connection.execute(sql, values)


def test_a_job_in_a_paused_queue_says_so_and_since_when(control, capsys):
    bg.pause("one")
    job = bg.submit("control.note", queue="one")
    for where, text in everywhere(job, capsys).items():
        assert "held: the queue one is paused (since " in text, where
    found = json.loads(said(capsys, "show", str(job.id), "--json"))
    assert found["reason"].startswith("the queue one is paused (since ")
    bg.resume("one")
    assert job.result(60) == "note"
    assert job.status == "succeeded"


def test_several_paused_queues_are_named_in_one_sentence(control):
    for queue in ("default", "one", "probe"):
        bg.pause(queue)
    job = bg.submit("control.note")
    assert "the queues default, one and probe are paused" in overview.text(50, "submit").splitlines()
    assert ">The queues default, one and probe are paused.<" in overview.html(50)
    job.cancel()


def test_a_job_without_a_slot_says_who_holds_them_and_how_many_are_ahead(control, capsys):
    control.configure(queues={"two": 2, "probe": 1})
    first, second = control.held("first", queue="two"), control.held("second", queue="two")
    waiting = [bg.submit("control.note", {"name": name}, queue="two") for name in ("c", "d", "e")]
    urgent = bg.submit("control.note", {"name": "urgent"}, queue="two", priority=1)
    control.probe()
    holders = f"the slots of the queue two are taken by job {first.id}, job {second.id}"
    assert urgent.status == f"queued, {holders}"
    assert waiting[0].status == f"queued, {holders}; 1 job is ahead"
    assert waiting[2].status == f"queued, {holders}; 3 jobs are ahead"
    for where, text in everywhere(waiting[2], capsys).items():
        assert f"{holders}; 3 jobs are ahead" in text, where
    control.go("first", "second")
    assert JobList([*waiting, urgent]).results(60) == ["c", "d", "e", "urgent"]


def test_a_job_names_the_unfinished_jobs_that_it_depends_on(control, capsys):
    first, second = control.held("first"), control.held("second")
    job = bg.submit("control.note", after=[first, second])
    for where, text in everywhere(job, capsys).items():
        assert f"queued, depends on job {first.id}, job {second.id}" in text, where
    control.go("first")
    first.wait(60)
    until(lambda: job.status == f"queued, depends on job {second.id}", "the end of the first")
    control.go("second")
    job.wait(60)


def test_of_many_dependencies_the_first_are_named_and_the_others_counted(control):
    late = [bg.submit("control.note", delay="1h") for _ in range(8)]
    job = bg.submit("control.note", after=late)
    named = ", ".join(f"job {each.id}" for each in late[:5])
    assert job.status == f"queued, depends on {named} and 3 more"
    JobList([job, *late]).cancel()


def test_a_job_before_its_time_says_when_it_starts(control, capsys):
    job = bg.submit("control.note", delay="1h")
    for where, text in everywhere(job, capsys).items():
        assert "queued, starts at " in text, where
    assert json.loads(said(capsys, "show", str(job.id), "--json"))["reason"].startswith("starts at ")
    job.cancel()


def test_a_running_job_says_how_long_such_jobs_usually_run_and_when_it_is_overdue(control, capsys):
    for number in range(3):
        assert bg.submit("control.hold", {"name": control_go(control, f"run{number}")}).result(60)
    change(control.place, "UPDATE attempts SET started_at = ended_at - 720")
    job = control.held("late")
    for where, text in everywhere(job, capsys).items():
        if where not in ("status", "json"):
            assert "usually 12 m (last 3 runs)" in text, where
        assert "overdue" not in text, where
    change(control.place, "UPDATE attempts SET started_at = started_at - 1400 WHERE job_id = ?", job.id)
    assert job.status == "running"  # twice the longest is 24 minutes
    change(control.place, "UPDATE attempts SET started_at = started_at - 100 WHERE job_id = ?", job.id)
    for where, text in everywhere(job, capsys).items():
        assert "running, overdue" in text, where
    found = json.loads(said(capsys, "show", str(job.id), "--json"))
    assert (found["usual_seconds"], found["overdue"]) == (720.0, True)
    control.go("late")
    job.wait(60)
    assert (job.job_status().usual, job.job_status().overdue) == (None, False)


def control_go(control, name):
    control.go(name)
    return name


def test_the_states_of_many_jobs_are_read_by_the_same_few_statements(control, monkeypatch):
    held = control.held("first", queue="one")
    jobs = JobList(
        bg.submit("control.note", queue=queue, after=held if queue == "default" else ()) for queue in ["one", "default"] * 20
    )
    control.probe()
    database = client_module.client().database(client_module.client().folder())
    asked, read = [], type(database).read

    def counted(self, sql, values=()):
        asked.append(sql)
        return read(self, sql, values)

    with monkeypatch.context() as patch:
        patch.setattr(type(database), "read", counted)
        few = len(read_for(JobList(jobs[:2]), asked))
        many = len(read_for(jobs, asked))
    assert few == many <= 15
    control.go("first")
    jobs.wait(60)
    assert job_status.of_jobs(client_module.client(), client_module.client().folder(), [job.record() for job in jobs])


def read_for(jobs, asked):
    asked.clear()
    assert "the slot of the queue one is taken by job" in jobs._repr_html_()
    return list(asked)


def test_a_job_without_a_supervisor_says_that_one_is_started(control, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("ipybgjobs.client.writer.wake", lambda _folder: None)
        patch.setattr("ipybgjobs.client.jobs.supervision.SupervisorMonitor.ensure_supervisor", lambda *_: None)
        job = bg.submit("control.note")
        assert job.status == "queued, a supervisor is being started"
    assert job.result(60) == "note"
